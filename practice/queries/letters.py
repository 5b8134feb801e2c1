"""The letters about an appointment: whether one still holds, and what it says.

Every letter is neutral: whoever reads over a shoulder learns that there is an appointment, and
nothing of what it is for, who else comes or whom it is with. No text that a client typed is in it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import escape
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from clients.channels import mime
from clients.channels.letter import Attachment, Letter, Subject
from clients.models import Message
from clients.rules import access
from practice.models import Appointment, Attendance, Practice, Service
from practice.queries import letterhead
from practice.queries.intake_letters import IntakeLetters
from practice.queries.sign_in_letters import SignInLetters
from practice.rules import calendar_entry, cancellation, nudges, wall
from practice.rules.calendar_entry import Entry, Method

# One plain statement for each letter: it is what the sender pays for looking again.
_STANDING: Final = """
SELECT t.gate, t.state, a.state, a.sequence
  FROM duet_practice_attendance t
  JOIN duet_practice_appointment a ON a.id = t.appointment_id
 WHERE t.id = %s AND t.person_id = %s"""

# What is read of an attendance for its letters; anything else would cost a statement each.
_SAID: Final = (
    *("person_id", "token", "left_period", "left_sequence"),
    *("appointment__period", "appointment__state", "appointment__sequence"),
    *("appointment__service__place", "appointment__service__place_text"),
    *("appointment__counselor__zone", "appointment__counselor__video_url"),
)
_GONE: Final = frozenset({"cancelled", "declined"})
_CONFIRMED: Final = frozenset({"confirmed"})
# In which states of the appointment a letter holds; most want it confirmed.
_HOLDS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "requested": frozenset({"requested"}),
        "moved": frozenset({"requested", "confirmed"}),
    }
)
# Which letters bring the calendar entry; a reminder would only raise the same one again.
_METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "confirmation": "REQUEST",
        "invitation": "REQUEST",
        "moved": "REQUEST",
        "cancelled": "CANCEL",
    }
)
_SUBJECTS: Final[Mapping[str, Promise]] = MappingProxyType(
    {
        "confirmation": gettext_lazy("Your appointment"),
        "requested": gettext_lazy("Your request for an appointment"),
        "invitation": gettext_lazy("Your appointment: please answer"),
        "reminder": gettext_lazy("Reminder: your appointment"),
        "moved": gettext_lazy("Your appointment: new time"),
        "cancelled": gettext_lazy("Your appointment is cancelled"),
        "declined": gettext_lazy("Your request for an appointment"),
    }
)


# The facts that differ from one attendee to the next. Everything else is rendered once for all.
_OWN: Final = ("when", "there", "link", "until")
# Private-use characters, which no filter and no escaping touches.
_BLANK: Final = re.compile("\ue000([a-z]+)\ue001")
_FORMS: Final = 500
_ANY_TOKEN: Final = "A" * 22


class AttendanceLetters:
    """The subject kind `attendance`: one person's part in an appointment. Serves one scan."""

    def __init__(self, practice: Practice) -> None:
        self._practice = practice
        self._attendances: dict[UUID, Attendance] = {}

    def read(self, messages: Sequence[Message]) -> None:
        """Read the attendances that these messages are about, with all that a letter says."""
        rows = Attendance.objects.filter(pk__in=[message.subject_id for message in messages])
        self._attendances = {
            row.pk: row
            for row in rows.select_related("appointment__service", "appointment__counselor").only(
                *_SAID
            )
        }

    def still_due(self, message: Message) -> str | None:
        """Look at the attendance and its appointment again: None while the letter holds."""
        with connection.cursor() as cursor:
            cursor.execute(_STANDING, [message.subject_id, message.person_id])
            row = cursor.fetchone()
        if row is None:
            return "no_attendance"
        return why_not(purpose(message), message.version, Standing(*row))

    def render(self, message: Message) -> Letter:
        """Write the letter. Refuses (LookupError) one whose attendance wasn't read before."""
        attendance = self._attendances[message.subject_id]
        attendance.person = message.person
        return _letter(message, attendance, self._practice)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an attendance and its appointment stand at this moment: what letters depend on."""

    gate: str
    attendance: str
    appointment: str
    sequence: int


def subjects() -> dict[str, Subject]:
    """What the sender needs to know of each kind of subject; made anew for each scan."""
    practice = Practice.objects.first()
    if practice is None:
        return {}
    return {
        "attendance": AttendanceLetters(practice),
        nudges.SUBJECT: IntakeLetters(practice),
        access.LINK_SUBJECT: SignInLetters(practice),
    }


def purpose(message: Message) -> str:
    """The kind of letter; every reminder is one kind, however long before."""
    return "reminder" if message.purpose.startswith("reminder-") else message.purpose


def why_not(purpose: str, version: int, now: Standing) -> str | None:
    """Why a letter no longer holds, as a code; None while it does."""
    gone = "cancelled" in (now.attendance, now.appointment)
    if now.gate != Attendance.Gate.OPEN:
        return f"gate_{now.gate}"
    if purpose in _GONE:
        return None if gone else "not_cancelled"
    if gone:
        return "cancelled"
    if version != now.sequence:
        # The times that it tells are no longer true; the move has planned another.
        return "moved"
    return (
        None if now.appointment in _HOLDS.get(purpose, _CONFIRMED) else "state_" + now.appointment
    )


def calendar_bytes(attendance: Attendance, now: datetime) -> bytes:
    """The calendar file to take along from the attendee's page."""
    gone = attendance.cancelled_at or attendance.appointment.cancelled_at
    return calendar_entry.calendar(_entry(attendance, "CANCEL" if gone else "PUBLISH", now, ""))


# --- one letter --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the templates may print, and nothing else."""

    subject: str
    when: str
    zone: str
    there: str
    place: str
    link: str
    changeable: bool
    until: str
    practice: str
    phone: str


def _letter(message: Message, attendance: Attendance, practice: Practice) -> Letter:
    person = attendance.person
    if person.email is None:
        raise ValueError("There is nowhere to write to.")
    kind = purpose(message)
    with translation.override(letterhead.language(person.language, practice)):
        facts = _facts(kind, message, attendance, practice)
        text, html = _rendered(kind, facts)
        return Letter(
            to=person.email,
            sender_name=facts.practice,
            subject=facts.subject,
            text=text,
            html=html,
            message_id=f"{message.pk}@{letterhead.host()}",
            language=translation.get_language(),
            attachments=_attachments(kind, message, attendance, facts.practice),
        )


@dataclass(frozen=True, slots=True)
class _Form:
    """A text with blanks for an attendee's own facts, cut there: every second part is a name."""

    parts: tuple[str, ...]

    def filled(self, facts: _Facts, *, html: bool) -> str:
        parts = list(self.parts)
        for place in range(1, len(parts), 2):
            fact = getattr(facts, parts[place])
            parts[place] = escape(fact) if html else fact
        return "".join(parts)


# For each kind of letter and all who have the same facts, but for their own: its two forms, or
# none where its templates can't be cut.
_forms: dict[tuple[str, str | None, _Facts], tuple[_Form, _Form] | None] = {}


def _rendered(kind: str, facts: _Facts) -> tuple[str, str]:
    """The two texts of a letter.

    Rendering costs more than all else about a letter, so it is done once for all who have the
    same facts but for their own. A template that does more than print those (a filter, say) is
    rendered for everybody.
    """
    blanks: dict[str, Any] = {name: f"\ue000{name}\ue001" for name in _OWN if getattr(facts, name)}
    blank = replace(facts, **blanks)
    key = (kind, translation.get_language(), blank)
    if key not in _forms:
        text, html = (_Form(tuple(_BLANK.split(one))) for one in _written_out(kind, blank))
        as_both = text.filled(facts, html=False), html.filled(facts, html=True)
        if len(_forms) >= _FORMS:
            _forms.clear()
        _forms[key] = (text, html) if as_both == _written_out(kind, facts) else None
    forms = _forms[key]
    if forms is None:
        return _written_out(kind, facts)
    return forms[0].filled(facts, html=False), forms[1].filled(facts, html=True)


def _written_out(kind: str, facts: _Facts) -> tuple[str, str]:
    context = {"letter": facts}
    text = render_to_string(f"duet/practice/{kind}_email.txt", context)
    return letterhead.tidy(text), render_to_string(f"duet/practice/{kind}_email.html", context)


def _facts(kind: str, message: Message, attendance: Attendance, practice: Practice) -> _Facts:
    appointment, zone = attendance.appointment, attendance.person.zone
    until = cancellation.changeable_until(
        starts_at=appointment.starts_at, cutoff_minutes=practice.cutoff_minutes
    )
    changeable = until > message.due_at
    says_until = changeable and kind in {"confirmation", "invitation", "moved"}
    return _Facts(
        subject=str(_SUBJECTS[kind]),
        when=_span(attendance),
        zone=letterhead.zone_words(zone),
        there=_there(attendance, zone),
        place=_place(appointment),
        link=page_url(attendance.token),
        changeable=changeable,
        until=_moment(until, zone) if says_until else "",
        practice=letterhead.sender_name(practice),
        phone=practice.phone,
    )


def page_url(token: str) -> str:
    """The attendee's own page. Made from the configured address, never from a request's."""
    before, after = _page_parts(
        settings.DUET["BASE_URL"], translation.get_language(), get_script_prefix()
    )
    return f"{before}{token}{after}"


@lru_cache(maxsize=20)
def _page_parts(base_url: str, *depends_on: str | None) -> tuple[str, str]:  # noqa: ARG001
    """A page's address before and after its token; it may depend on language and mount."""
    before, _, after = reverse("practice:attendance", args=[_ANY_TOKEN]).partition(_ANY_TOKEN)
    return f"{base_url}{before}", after


def _span(attendance: Attendance) -> str:
    """Date, begin and end on the person's own clock."""
    zone = attendance.person.zone
    end = attendance.ends_at.astimezone(wall.zone_info(zone))
    return capfirst(f"{_moment(attendance.starts_at, zone)}–{end:%H:%M}")


def _moment(moment: datetime, zone: str) -> str:
    return _moment_in(moment, zone, translation.get_language())


@lru_cache(maxsize=2_000)  # reminders that are due together are about the same moments
def _moment_in(moment: datetime, zone: str, language: str | None) -> str:  # noqa: ARG001
    local = moment.astimezone(wall.zone_info(zone))
    # Translators: a date and time such as "Tuesday, 8 December 2026, 14:30" in Django's signs.
    return date_format(local, pgettext("date format", "l, j F Y, H:i"), use_l10n=False)


def _there(attendance: Attendance, zone: str) -> str:
    """The time on the clock of the place to come to, where it isn't the reader's own."""
    appointment = attendance.appointment
    there = appointment.counselor.zone
    if appointment.service.place != Service.Place.ADDRESS:
        return ""
    at = attendance.starts_at
    if at.astimezone(wall.zone_info(there)).replace(tzinfo=None) == at.astimezone(
        wall.zone_info(zone)
    ).replace(tzinfo=None):
        return ""
    return f"{_moment(at, there)} ({letterhead.zone_words(there)})"


def _place(appointment: Appointment) -> str:
    """Where it takes place. A text of the practice's own that reveals something stays out."""
    service = appointment.service
    if service.place == Service.Place.PHONE:
        return _("We call you.")
    text = _place_text(appointment)
    if not text:
        return _("You find the place on your page.")
    return _("By video: %(link)s") % {"link": text} if _by_video(service) else text


def _place_text(appointment: Appointment) -> str:
    service = appointment.service
    text = appointment.counselor.video_url if _by_video(service) else service.place_text
    return "" if letterhead.reveals(text) else text.strip()


def _by_video(service: Service) -> bool:
    return service.place == Service.Place.VIDEO


def _attachments(
    kind: str, message: Message, attendance: Attendance, name: str
) -> tuple[Attachment, ...]:
    method = _METHODS.get(kind)
    unconfirmed = attendance.appointment.state == Appointment.State.REQUESTED
    if method is None or unconfirmed:
        return ()
    # Stamped with the moment of planning, so that a second copy is the same to the byte.
    entry = _entry(attendance, method, message.planned_at, name)
    content = calendar_entry.calendar(entry)
    return (Attachment("appointment.ics", "text/calendar", content, method),)


def _entry(attendance: Attendance, method: Method, stamped_at: datetime, name: str) -> Entry:
    appointment = attendance.appointment
    # Who leaves alone leaves the appointment's own number as it is, and yet ends their entry.
    gone = method == "CANCEL"
    mailed = method != "PUBLISH" and bool(name)
    by_phone = appointment.service.place == Service.Place.PHONE
    return Entry(
        uid=f"{attendance.pk}@{letterhead.host()}",
        sequence=attendance.sequence + (1 if gone else 0),
        method=method,
        starts_at=attendance.starts_at,
        ends_at=attendance.ends_at,
        zone=attendance.person.zone,
        stamped_at=stamped_at,
        place="" if gone or by_phone else _place_text(appointment),
        organizer=mime.address_of(settings.DEFAULT_FROM_EMAIL) if mailed else "",
        organizer_name=name,
        attendee=attendance.person.email or "" if mailed else "",
    )
