"""Plan what an appointment's attendees are told: the ledger's rows follow the appointment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from clients.actions import messages
from clients.models import Message, Person, SafeContact
from clients.queries import people
from clients.rules import crowding
from clients.rules.actors import Actor
from practice.models import Appointment, Attendance, ReminderRule
from practice.queries import offers
from practice.queries.terms import Terms
from practice.rules import reminders

SUBJECT = "attendance"
_EMAIL = SafeContact.Channel.EMAIL
_FIRST = ("requested", "confirmation", "invitation", "moved")
_LAST = ("cancelled", "declined")
# Sent, or on its way, or perhaps gone: one that is tried again after its sender died stays told.
_TOLD = Q(state__in=[Message.State.SENT, Message.State.SENDING]) | Q(uncertain_at__isnull=False)


def plan(
    *,
    appointment: Appointment,
    attendances: Sequence[Attendance],
    terms: Terms,
    lately: Mapping[UUID, Sequence[messages.Due]],
    now: datetime,
) -> list[Message]:
    """The messages of an appointment that is just being booked, as rows to be written.

    Nobody has been told anything yet. `lately` is what else is due to these people's addresses
    where a limit holds: that of `replan`.
    """
    leads = leads_of(terms.reminders, appointment.service_id)
    delay = timedelta(seconds=terms.practice.confirmation_delay_seconds)
    written_to = [one for one in attendances if may_write(one)]
    known = [one for one in written_to if not one.person._state.adding]
    quiet = quiet_hours(one.person_id for one in known) if known else {}
    return [
        row
        for one in written_to
        for row in messages.new_rows(
            [
                _within_limit(one, want, lately.get(one.person_id, []), was_told=False)
                for want in wanted(
                    appointment=appointment,
                    attendance=one,
                    told=set(),
                    leads=leads,
                    quiet=quiet.get(one.person_id),
                    delay=delay,
                    now=now,
                )
            ],
            subject_kind=SUBJECT,
            subject_id=one.pk,
            now=now,
        )
    ]


def due_lately(
    *, persons: Iterable[Person], index_key: bytes, by: Actor, now: datetime
) -> dict[UUID, list[messages.Due]]:
    """What else is due to the addresses of people who are just being booked for.

    Nothing where no limit holds; it is asked once for all letters of a booking.
    """
    found = {one.pk: people.address(one, index_key) for one in persons} if _is_limited(by) else {}
    addresses = {person_id: own for person_id, own in found.items() if own}
    return messages.due_lately(addresses=addresses, now=now) if addresses else {}


def replan(*, appointment: Appointment, reason: str, by: Actor, now: datetime) -> bool:
    """Make every attendee's unsent messages follow from the appointment as it stands.

    Call it in the transaction of each change; `reason` (a code) is kept on what is cancelled.
    What strangers and people behind a link cause is limited by address (`_within_limit`).
    Returns whether a message that no longer holds may be on its way at this very moment.
    """
    attendances = list(
        Attendance.objects.filter(appointment=appointment)
        .select_related("person__key")
        .order_by("pk")
    )
    messages.lock(subject_kind=SUBJECT, subject_ids=[one.pk for one in attendances])
    told = _told_versions(attendances)
    quiet = quiet_hours(one.person_id for one in attendances)
    leads = reminder_leads(appointment)
    delay = timedelta(seconds=offers.the_practice().confirmation_delay_seconds)
    lately = _known_due_lately(attendances, by, now)
    on_its_way = False
    for attendance in attendances:
        wants = wanted(
            appointment=appointment,
            attendance=attendance,
            told=told.get(attendance.pk, set()),
            leads=leads,
            quiet=quiet.get(attendance.person_id),
            delay=delay,
            now=now,
        )
        due = lately.get(attendance.person_id, [])
        was_told = attendance.pk in told
        result = messages.replan(
            subject_kind=SUBJECT,
            subject_id=attendance.pk,
            wanted=[_within_limit(attendance, one, due, was_told=was_told) for one in wants],
            reason=reason,
            by=by,
            now=now,
        )
        on_its_way = on_its_way or result.on_its_way > 0
    messages.ring()
    return on_its_way


def wanted(
    *,
    appointment: Appointment,
    attendance: Attendance,
    told: set[tuple[str, int]],
    leads: list[reminders.ReminderLead],
    quiet: reminders.Quiet | None,
    delay: timedelta,
    now: datetime,
) -> list[messages.Wanted]:
    """What one attendee is to be told, from the rows at hand; nothing is read or written.

    `told` names the letters, with their version, that this person has had already.
    """
    return [
        *_letters(appointment, attendance, told, delay),
        *_reminders(appointment, attendance, leads, quiet, now),
    ]


def reminder_leads(appointment: Appointment) -> list[reminders.ReminderLead]:
    """The reminder rules that apply: the service's own, or the general ones if it has none."""
    return leads_of(ReminderRule.objects.all(), appointment.service_id)


def leads_of(rules: Iterable[ReminderRule], service_id: UUID) -> list[reminders.ReminderLead]:
    """Of these rules the service's own, or the general ones if it has none."""
    by_mail = [rule for rule in rules if rule.channel == _EMAIL]
    own = [rule for rule in by_mail if rule.service_id == service_id]
    general = [rule for rule in by_mail if rule.service_id is None]
    return [
        reminders.ReminderLead(str(rule.minutes_before), rule.minutes_before)
        for rule in own or general
    ]


def _known_due_lately(
    attendances: Sequence[Attendance], by: Actor, now: datetime
) -> dict[UUID, list[messages.Due]]:
    """What else is due to these people's addresses; nothing where no limit holds."""
    if not _is_limited(by):
        return {}
    addresses = people.addresses(one.person_id for one in attendances if may_write(one))
    return messages.due_lately(addresses=addresses, now=now) if addresses else {}


def _is_limited(by: Actor) -> bool:
    """What the practice itself does is never limited."""
    return by.kind in {"visitor", "person"} and bool(settings.DUET["THROTTLE"])


def _within_limit(
    attendance: Attendance, want: messages.Wanted, lately: Iterable[messages.Due], *, was_told: bool
) -> messages.Wanted:
    """A letter as it may be sent: anybody can type anybody's address, again and again.

    Past the limit the first letter of an appointment is put down and not sent; the desk sees it.
    Whoever has heard of it hears of its changes all the same, only later, and of the last one only.
    Reminders are not limited: they may be the one thing that somebody is told.
    """
    if want.purpose not in (*_FIRST, *_LAST):
        return want
    # What waits for this very person gives way to the new letter, or is it.
    others = [one.due_at for one in lately if not (one.waits and one.subject_id == attendance.pk)]
    free = crowding.next_free(want.due_at, others)
    if free == want.due_at:
        return want
    if not was_told:
        return too_many(want)
    return replace(want, due_at=free) if free < want.window_ends_at else want


def too_many(want: messages.Wanted) -> messages.Wanted:
    """A letter past the limit: put down for the desk to see, and not sent."""
    return replace(want, suppressed="too_many")


def _told_versions(attendances: Iterable[Attendance]) -> dict[object, set[tuple[str, int]]]:
    """For each attendance, by which messages its person has heard of which version."""
    told: dict[object, set[tuple[str, int]]] = {}
    rows = Message.objects.filter(
        _TOLD,
        subject_kind=SUBJECT,
        subject_id__in=[attendance.pk for attendance in attendances],
    ).values_list("subject_id", "purpose", "version")
    for subject_id, purpose, version in rows:
        told.setdefault(subject_id, set()).add((purpose, version))
    return told


def quiet_hours(person_ids: Iterable[UUID]) -> dict[object, reminders.Quiet | None]:
    """When each of these wants to hear nothing, of those who said so; one statement."""
    rows = SafeContact.objects.filter(
        person__in=list(person_ids),
        channel=_EMAIL,
        quiet_from__isnull=False,
    )
    return {
        row.person_id: (row.quiet_from, row.quiet_until)
        for row in rows
        if row.quiet_from is not None and row.quiet_until is not None
    }


def may_write(attendance: Attendance) -> bool:
    """Whether anything about the appointment may be written to this person, and there is a way."""
    return attendance.gate == Attendance.Gate.OPEN and attendance.person.has_email


def _letters(
    appointment: Appointment, attendance: Attendance, told: set[tuple[str, int]], delay: timedelta
) -> list[messages.Wanted]:
    """The one letter that says how things stand, if this person is to have one."""
    if not may_write(attendance):
        return []
    gone = attendance.cancelled_at or appointment.cancelled_at
    if gone is not None:
        # Whoever was told nothing (a misclick taken back at once) isn't told of its end either.
        if not told:
            return []
        ends = [(purpose, version) for purpose, version in told if purpose in _LAST]
        if ends:
            # Told already: what becomes of the others' time later is no news to them.
            return [_wanted(appointment, attendance, *ends[0], due_at=gone)]
        only_asked = {purpose for purpose, _ in told} == {"requested"}
        declined = only_asked and attendance.cancelled_at is None
        purpose = "declined" if declined else "cancelled"
        return [_wanted(appointment, attendance, purpose, appointment.sequence, due_at=gone)]
    since = _known_since(appointment, attendance)
    first = _first_letter(appointment, attendance)
    if first is None or since >= appointment.starts_at:
        return []
    moved = any(version < appointment.sequence for _, version in told)
    return [
        _wanted(
            appointment,
            attendance,
            "moved" if moved else first,
            appointment.sequence,
            due_at=since + delay,
        )
    ]


def _known_since(appointment: Appointment, attendance: Attendance) -> datetime:
    """When this person could first be told how things stand; the letter then serves for reminders.

    Who may be written to only later doesn't get the reminders of the time before, all at once.
    """
    return max(appointment.settled_at, attendance.gate_opened_at or appointment.settled_at)


def _first_letter(appointment: Appointment, attendance: Attendance) -> str | None:
    if appointment.state == Appointment.State.CONFIRMED:
        return "confirmation" if attendance.role == Attendance.Role.BOOKER else "invitation"
    if appointment.state == Appointment.State.REQUESTED:
        # The partner hears of it once there is something to come to.
        return "requested" if attendance.role == Attendance.Role.BOOKER else None
    return None


def _reminders(
    appointment: Appointment,
    attendance: Attendance,
    leads: list[reminders.ReminderLead],
    quiet: reminders.Quiet | None,
    now: datetime,
) -> list[messages.Wanted]:
    if (
        appointment.state != Appointment.State.CONFIRMED
        or attendance.cancelled_at is not None
        or not may_write(attendance)
    ):
        return []
    planned = reminders.plan(
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        booked_at=_known_since(appointment, attendance),
        now=now,
        rules=leads,
        quiet=quiet,
        zone=attendance.person.zone,
    )
    return [
        messages.Wanted(
            purpose=one.purpose,
            person_id=attendance.person_id,
            channel=_EMAIL,
            version=appointment.sequence,
            due_at=one.due_at,
            window_ends_at=one.window_ends_at,
            about_at=appointment.starts_at,
        )
        for one in planned
    ]


def _wanted(
    appointment: Appointment,
    attendance: Attendance,
    purpose: str,
    version: int,
    *,
    due_at: datetime,
) -> messages.Wanted:
    return messages.Wanted(
        purpose=purpose,
        person_id=attendance.person_id,
        channel=_EMAIL,
        version=version,
        due_at=due_at,
        # Nothing about an appointment leaves after its start.
        window_ends_at=max(appointment.starts_at, due_at),
        about_at=appointment.starts_at,
    )
