"""What the tests of messages share: rows about nothing in particular, a clock, a plain subject."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from pytest_django import Settings

from clients.actions import delivery, messages
from clients.actions.messages import Outcome
from clients.channels.letter import Letter
from clients.models import Message, Person
from tests import factories
from tests.smtp_peer import Peer

NOW = factories.NOW


@dataclass
class Clock:
    """Time that goes on only when a test says so."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def go_on(self, **length: float) -> None:
        self.now += timedelta(**length)


@dataclass
class Plain:
    """A subject whose messages always hold, unless `why_not` or `broken` names their row."""

    why_not: dict[uuid.UUID, str] = field(default_factory=dict)
    broken: set[uuid.UUID] = field(default_factory=set)
    looked_at: list[uuid.UUID] = field(default_factory=list)

    def read(self, messages: Sequence[Message]) -> None:
        pass

    def still_due(self, message: Message) -> str | None:
        self.looked_at.append(message.pk)
        return self.why_not.get(message.pk)

    def render(self, message: Message) -> Letter:
        if message.pk in self.broken:
            raise KeyError("A template that names what isn't there.")
        return Letter(
            to=message.person.email or "",
            sender_name="Elm Street",
            subject="Your appointment",
            text="Tuesday, 10:00\n.\nA line with a dot alone stands above.\n",
            html="<p>Tuesday, 10:00</p>",
            message_id=f"{message.pk}@elm.example.org",
            language="en",
        )


def row(person: Person, **fields: Any) -> Message:
    """A message about a subject of its own, due at `NOW`, about something a day later."""
    due_at = fields.get("due_at", NOW)
    values: dict[str, Any] = {
        "purpose": "reminder-120",
        "subject_kind": "plain",
        "subject_id": uuid.uuid4(),
        "channel": "email",
        "version": 0,
        "planned_at": NOW - timedelta(days=1),
        "due_at": due_at,
        "window_ends_at": due_at + timedelta(hours=12),
        "about_at": due_at + timedelta(days=1),
        "next_try_at": due_at,
    }
    return Message.objects.create(person=person, **(values | fields))


def scan(subject: Plain | None = None, clock: Clock | None = None, limit: int = 1_000) -> Outcome:
    """One scan of the ledger."""
    clock = clock or Clock()
    return messages.send_due(
        subjects={"plain": subject or Plain()},
        by=factories.SYSTEM,
        now=clock(),
        clock=clock,
        limit=limit,
    )


def this_run() -> str:
    """What a claim notes: since when the database has forgotten nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {delivery._RUN}")
        return str(cursor.fetchone()[0])


def talk_to(peer: Peer, settings: Settings) -> None:
    """Let the site's mail go to a server of the tests."""
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_PORT = peer.port
    settings.EMAIL_HOST_USER = ""
    settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
    settings.EMAIL_TIMEOUT = 5
    settings.DEFAULT_FROM_EMAIL = "practice@elm.example.org"
