"""`manage.py crisis load | list | add | verify | show | hide`: whom clients can turn to at once."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from clients.models import Member
from clients.rules import permissions
from clients.rules.actors import Actor
from intake.actions import crisis
from intake.models import CrisisLine

_BY = Actor.system()


class Command(BaseCommand):
    """Keeps the lines that stand under every form; each act is on record."""

    help = "Crisis lines: load the shipped ones, add your own, say that one was verified."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        commands.add_parser("load", help="add the shipped lines that aren't here yet")
        commands.add_parser("list", help="print all lines, and when each was verified")
        add = commands.add_parser("add", help="add a line of your own")
        add.add_argument("country", help="ISO 3166, such as US")
        add.add_argument("kind", choices=CrisisLine.Kind.values)
        add.add_argument("label", help="what the line calls itself")
        for way in ("phone", "sms", "sms-word", "url", "hours"):
            add.add_argument(f"--{way}", default="")
        add.add_argument("--language", action="append", default=[], help="may be given repeatedly")
        verify = commands.add_parser("verify", help="put down that somebody called it today")
        verify.add_argument("id", type=UUID)
        verify.add_argument("--by", required=True, metavar="USERNAME", help="the member who did")
        for what, text in {
            "show": "show a line to clients again",
            "hide": "show a line no longer",
        }.items():
            commands.add_parser(what, help=text).add_argument("id", type=UUID)

    def handle(self, *, what: str, **options: Any) -> None:
        now = timezone.now()
        doing: dict[str, Callable[..., None]] = {
            "load": self._load,
            "list": self._list,
            "add": self._add,
            "verify": self._verify,
            "show": self._show,
            "hide": self._hide,
        }
        doing[what](now, **options)

    def _load(self, now: datetime, **_: object) -> None:
        self.stdout.write(f"{crisis.load_shipped(by=_BY, now=now)} lines added.")

    def _list(self, _now: datetime, **_options: object) -> None:
        for one in CrisisLine.objects.order_by("country", "position", "pk"):
            reach = one.phone or one.sms or one.url
            checked = f"verified {one.verified_on}" if one.verified_on else "not verified"
            hidden = "" if one.active else ", hidden"
            self.stdout.write(f"{one.pk} {one.country} {one.label} ({reach}): {checked}{hidden}")

    def _add(
        self,
        now: datetime,
        *,
        country: str,
        kind: str,
        label: str,
        language: list[str],
        **options: Any,
    ) -> None:
        ways = {name: options[name] for name in ("phone", "sms", "sms_word", "url", "hours")}
        values = {"country": country, "kind": kind, "label": label, "languages": language} | ways
        try:
            row = crisis.add(values=values, by=_BY, now=now)
        except crisis.LineRefused as refused:
            raise CommandError(str(refused)) from None
        self.stdout.write(f"Added: {row.pk}.")

    def _verify(self, now: datetime, *, id: UUID, by: str, **_: object) -> None:  # noqa: A002
        member = Member.objects.filter(user__username__iexact=by, user__is_active=True).first()
        if member is None:
            raise CommandError(f"No member signs in as '{by}'.")
        on: date = timezone.localdate(now)
        try:
            crisis.verify(line=_line(id), on=on, by=member.as_actor(), now=now)
        except permissions.NotPermitted:
            raise CommandError(f"'{by}' doesn't manage the practice.") from None
        self.stdout.write(f"Verified on {on}.")

    def _show(self, now: datetime, *, id: UUID, **_: object) -> None:  # noqa: A002
        crisis.show(line=_line(id), shown=True, by=_BY, now=now)

    def _hide(self, now: datetime, *, id: UUID, **_: object) -> None:  # noqa: A002
        crisis.show(line=_line(id), shown=False, by=_BY, now=now)


def _line(line_id: UUID) -> CrisisLine:
    """The line. Refuses (CommandError) an id that none has."""
    line = CrisisLine.objects.filter(pk=line_id).first()
    if line is None:
        raise CommandError(f"No line has the id {line_id}.")
    return line
