"""The letters that bring somebody the link to what waits for them alone.

Every one says that there is a message, and nothing of what it is, of whom else, or of what was
answered so far: two people who were given the same get the same words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Min, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from clients.channels.letter import Letter
from clients.models import Message
from intake.models import Assignment, Intake
from practice.models import Practice
from practice.queries import letterhead
from practice.rules import nudges, wall

# One plain statement for each letter, as for those about an appointment.
_STANDING: Final = """
SELECT i.round, i.ended_at IS NOT NULL,
       EXISTS (SELECT FROM duet_intake_assignment a
                WHERE a.intake_id = i.id AND a.state = 'open'),
       EXISTS (SELECT FROM duet_intake_assignment a
                WHERE a.intake_id = i.id AND a.state = 'sent'),
       EXISTS (SELECT FROM duet_clients_case c
                 JOIN duet_clients_couplemember m
                   ON m.couple_id = c.couple_id AND m.left_at IS NULL
                 JOIN duet_clients_blindindex one
                   ON one.person_id = m.person_id AND one.kind = 'email'
                WHERE c.id = i.case_id
                GROUP BY one.digest
               HAVING count(DISTINCT one.person_id) > 1)
  FROM duet_intake_intake i
 WHERE i.id = %s AND i.person_id = %s"""


@dataclass(frozen=True, slots=True)
class _Facts:
    """All that the letter says."""

    subject: str
    link: str
    again: bool
    until: str
    practice: str
    phone: str


class IntakeLetters:
    """The subject kind `intake`: one person's own link. Serves one scan."""

    def __init__(self, practice: Practice) -> None:
        self._practice = practice
        self._intakes: dict[UUID, Intake] = {}

    def read(self, messages: Sequence[Message]) -> None:
        """Read the links that these messages bring, and by when what is behind them is due."""
        found = Intake.objects.filter(pk__in=[message.subject_id for message in messages])
        due = Min("assignments__due_at", filter=Q(assignments__state=Assignment.State.OPEN))
        self._intakes = {row.pk: row for row in found.annotate(due_at=due)}

    def still_due(self, message: Message) -> str | None:
        """Look again: None while something is open or to be read, and nothing newer was asked."""
        with connection.cursor() as cursor:
            cursor.execute(_STANDING, [message.subject_id, message.person_id])
            row = cursor.fetchone()
        if row is None:
            return "no_intake"
        now_round, ended, is_open, was_sent, is_shared = row
        if ended:
            return "ended"
        if is_shared:
            return "shared_address"
        if message.purpose == nudges.WORDS:
            return None
        if not is_open:
            return "all_sent" if was_sent else "withdrawn"
        return None if message.version == now_round else "asked_anew"

    def render(self, message: Message) -> Letter:
        """Write the letter. Refuses (LookupError) one whose link wasn't read before."""
        intake = self._intakes[message.subject_id]
        intake.person = message.person
        with translation.override(letterhead.language(message.person.language, self._practice)):
            facts = _Facts(
                subject=_("You have a message"),
                link=settings.DUET["BASE_URL"] + reverse("intake:start", args=[intake.token]),
                again=message.purpose in nudges.NUDGES,
                until=_until(message, intake),
                practice=letterhead.sender_name(self._practice),
                phone=self._practice.phone,
            )
            context = {"letter": facts}
            text = render_to_string("duet/practice/message_email.txt", context)
            return Letter(
                to=message.person.email or "",
                sender_name=facts.practice,
                subject=facts.subject,
                text=letterhead.tidy(text),
                html=render_to_string("duet/practice/message_email.html", context),
                message_id=f"{message.pk}@{letterhead.host()}",
                language=translation.get_language(),
            )


def _until(message: Message, intake: Intake) -> str:
    """By when, on the person's own clock; nothing of a moment that was past when it was planned."""
    due_at = getattr(intake, "due_at", None)
    if message.purpose == nudges.WORDS or due_at is None or due_at <= message.due_at:
        return ""
    zone = message.person.zone
    local = due_at.astimezone(wall.zone_info(zone))
    # Translators: a date and time such as "Tuesday, 8 December 2026, 14:30" in Django's signs.
    moment = date_format(local, pgettext("date format", "l, j F Y, H:i"), use_l10n=False)
    return f"{moment} ({letterhead.zone_words(zone)})"
