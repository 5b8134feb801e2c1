"""Instruments as they are kept, and the files that came with the software."""

from pathlib import Path

from django.db.models import QuerySet

from intake.models import Instrument

SHIPPED = Path(__file__).resolve().parent.parent / "content" / "instruments"


def published(slug: str) -> Instrument | None:
    """The version of an instrument that is given to people now."""
    return Instrument.objects.published().filter(slug=slug).first()


def versions(slug: str) -> QuerySet[Instrument]:
    """All versions of an instrument, the newest first."""
    return Instrument.objects.filter(slug=slug).order_by("-made_at", "-pk")


def find(slug: str, version: str | None = None) -> Instrument | None:
    """One version of an instrument; without one the published version, or else the newest."""
    if version is not None:
        return versions(slug).filter(version=version).first()
    return published(slug) or versions(slug).first()


def shipped_files() -> list[Path]:
    """The definitions that came with the software."""
    return sorted(SHIPPED.glob("*.yaml"))


def shipped_file(slug: str) -> Path | None:
    """The definition of one instrument as it came with the software."""
    return next((path for path in shipped_files() if path.stem == slug), None)
