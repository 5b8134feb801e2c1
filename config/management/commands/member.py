"""`manage.py member add | link | reset-factors | shut-out | let-in`: who may sign in."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email
from django.utils import timezone

from clients.models import Member
from clients.rules import contact
from clients.rules.actors import ROLES, Actor
from config.accounts import letters, members

_BY = Actor.system()


class Command(BaseCommand):
    """What whoever has the server's command line does for members; each act is on record."""

    help = "Make members, give them a link to choose a password, reset lost second factors."

    def add_arguments(self, parser: CommandParser) -> None:
        commands = parser.add_subparsers(dest="what", required=True)
        add = commands.add_parser("add", help="make a member; prints a link to choose a password")
        add.add_argument("username")
        add.add_argument("--name", required=True, help="as others see it")
        add.add_argument("--email", default="", help="where a forgotten password is sent to")
        add.add_argument(
            "--role", choices=ROLES, action="append", required=True, help="may be given repeatedly"
        )
        for what, text in {
            "link": "print a new link to choose a password, good for one hour",
            "reset-factors": "take away all second factors of somebody whose identity you checked",
            "shut-out": "end the sessions of a member who may sign in no more",
            "let-in": "let a member sign in again",
        }.items():
            commands.add_parser(what, help=text).add_argument("username")

    def handle(self, *, what: str, username: str, **options: Any) -> None:
        now = timezone.now()
        acts: dict[str, Callable[[Member, datetime], None]] = {
            "link": self._link,
            "reset-factors": self._reset,
            "shut-out": self._shut_out,
            "let-in": self._let_in,
        }
        try:
            if what == "add":
                self._add(username, now, **options)
            else:
                acts[what](members.member_of(username), now)
        except members.Refused as refused:
            raise CommandError(str(refused)) from None

    def _add(
        self, username: str, now: datetime, *, name: str, email: str, role: list[str], **_: object
    ) -> None:
        try:
            name = contact.name(name)
            if email:
                validate_email(email)
        except contact.Refused as refused:
            raise CommandError(refused.sentence) from None
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from None
        if not username.isascii() or not username.replace("-", "").replace(".", "").isalnum():
            raise CommandError("A user name is made of letters, digits, dots and hyphens.")
        member = members.add(
            username=username, name=name, email=email, roles=sorted(set(role)), by=_BY, now=now
        )
        self.stdout.write(f"{name} signs in as '{username}'. The password is chosen here, once:")
        self.stdout.write(letters.password_link(member.user))
        self.stdout.write(
            f"The link is good for one hour; `manage.py member link {username}` prints another."
        )

    def _link(self, member: Member, now: datetime) -> None:
        members.give_link(member=member, by=_BY, now=now)
        self.stdout.write(letters.password_link(member.user))

    def _reset(self, member: Member, now: datetime) -> None:
        count = members.reset_factors(member=member, by=_BY, now=now)
        self.stdout.write(f"Second factors taken away: {count}. All sessions of {member} are over.")

    def _shut_out(self, member: Member, now: datetime) -> None:
        members.set_active(member=member, active=False, by=_BY, now=now)
        self.stdout.write(f"{member} may sign in no more, and is signed out.")

    def _let_in(self, member: Member, now: datetime) -> None:
        members.set_active(member=member, active=True, by=_BY, now=now)
        self.stdout.write(f"{member} may sign in again.")
