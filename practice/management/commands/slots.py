"""`manage.py slots`: open times, as the public page would offer them."""

import argparse
import json
from datetime import date, datetime

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from practice.models import Counselor, Service
from practice.queries import offers, pages
from practice.rules import wall


class Command(BaseCommand):
    """Prints the starts that a visitor could book, in the zone that is asked for."""

    help = "Open times of a service, as the public page would offer them."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--service", required=True, metavar="SLUG")
        parser.add_argument("--counselor", metavar="SLUG", help="without it: anyone")
        parser.add_argument("--from", dest="from_on", type=_date, required=True, metavar="DATE")
        parser.add_argument(
            "--to", dest="to_on", type=_date, required=True, metavar="DATE", help="not included"
        )
        parser.add_argument("--tz", required=True, metavar="ZONE", help="such as Europe/Berlin")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(
        self,
        *,
        service: str,
        counselor: str | None,
        from_on: date,
        to_on: date,
        tz: str,
        json: bool,
        **_: object,
    ) -> None:
        try:
            zone = wall.canonical_zone(tz)
            found = offers.open_times(
                service=_service(service),
                counselor=_counselor(counselor) if counselor else None,
                from_on=from_on,
                to_on=to_on,
                zone=zone,
                now=timezone.now(),
            )
        except ValueError as refusal:  # an unknown zone, too many days
            raise CommandError(str(refusal)) from None
        rows = _rows(found, zone, service)
        self.stdout.write(_as_json(rows, zone) if json else _as_lines(rows))


Row = tuple[str, str, list[str]]


def _rows(found: list[offers.OpenTime], zone: str, service: str) -> list[Row]:
    minutes = Service.objects.values_list("minutes", flat=True).get(slug=service)
    slugs = dict(Counselor.objects.values_list("pk", "slug"))
    return [
        (
            _local(start := wall.minute_floor(time.start), zone),
            _local(start + minutes, zone),
            [slugs[one.counselor] for one in time.offered],
        )
        for time in found
    ]


def _local(minute: int, zone: str) -> str:
    return wall.wall(minute, zone).isoformat(timespec="seconds")


def _as_json(rows: list[Row], zone: str) -> str:
    slots = [{"start": start, "end": end, "counselors": slugs} for start, end, slugs in rows]
    return json.dumps({"slots": slots, "tz": zone})


def _as_lines(rows: list[Row]) -> str:
    if not rows:
        return "No open times."
    return "\n".join(f"{start}  {', '.join(slugs)}" for start, _, slugs in rows)


def _service(slug: str) -> Service:
    found = pages.bookable(slug)
    if found is None:
        raise CommandError(f"No service that can be booked has the name '{slug}'.")
    return found.service


def _counselor(slug: str) -> Counselor:
    found = Counselor.objects.public().filter(slug=slug).first()
    if found is None:
        raise CommandError(f"No counselor who can be booked has the name '{slug}'.")
    return found


def _date(text: str) -> date:
    """An ISO date; of a moment the date that it is written with."""
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no date such as 2027-01-31") from None
