"""Change how somebody is reached, and let what is planned for them follow."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from clients.actions import people
from clients.models import Case, Person, SafeContact
from clients.rules.actors import Actor
from practice.actions import booking, forms, planning
from practice.models import Appointment


@transaction.atomic
def change_contact(
    *,
    person: Person,
    email: str | None,
    phone: str | None,
    language: str,
    zone: str,
    by: Actor,
    now: datetime,
) -> Person:
    """Replace a person's contact and re-plan every unsent message of their appointments.

    A gate that was shut for want of an address, or because both shared one, is judged anew; one
    that was open shuts when the new address is the partner's own.
    """
    coming = _coming(person, now)
    _hold_cases(coming)
    changed = people.change_contact(
        person=person, email=email, phone=phone, language=language, zone=zone, by=by, now=now
    )
    for appointment in coming:
        booking.judge_gates(appointment=appointment, by=by, now=now)
        planning.replan(appointment=appointment, reason="contact_changed", by=by, now=now)
    forms.replan_person(person=changed, reason="contact_changed", by=by, now=now)
    return changed


@transaction.atomic
def change_language(
    *, person: Person, language: str, zone: str, by: Actor, now: datetime
) -> Person:
    """Replace a person's language and zone, and re-plan what isn't sent; gates don't ask them."""
    coming = _coming(person, now)
    changed = people.change_language(person=person, language=language, zone=zone, by=by, now=now)
    for appointment in coming:
        planning.replan(appointment=appointment, reason="contact_changed", by=by, now=now)
    forms.replan_person(person=changed, reason="contact_changed", by=by, now=now)
    return changed


@transaction.atomic
def say_no(
    *, person: Person, channel: SafeContact.Channel, by: Actor, now: datetime
) -> SafeContact:
    """Let nothing more come on a channel; what else was said of it stays, for when it is safe."""
    coming = _coming(person, now)
    row = people.say_no(person=person, channel=channel, by=by, now=now)
    for appointment in coming:
        planning.replan(appointment=appointment, reason="safe_contact", by=by, now=now)
    forms.replan_person(person=person, reason="safe_contact", by=by, now=now)
    return row


@transaction.atomic
def say_safe_contact(
    *,
    person: Person,
    channel: SafeContact.Channel,
    permission: SafeContact.Permission,
    quiet: tuple[int, int] | None,
    voicemail: bool | None = None,
    by: Actor,
    now: datetime,
) -> SafeContact:
    """Store how a person may be reached; it takes effect on what is already planned.

    `quiet` are minutes of the day in the person's own zone in which nothing is to arrive.
    """
    coming = _coming(person, now)
    row = people.say_safe_contact(
        person=person,
        channel=channel,
        permission=permission,
        quiet=quiet,
        voicemail=voicemail,
        by=by,
        now=now,
    )
    for appointment in coming:
        planning.replan(appointment=appointment, reason="safe_contact", by=by, now=now)
    forms.replan_person(person=person, reason="safe_contact", by=by, now=now)
    return row


def _hold_cases(appointments: Iterable[Appointment]) -> None:
    """Lock their cases: a partner who can be asked from now on is given what comes before."""
    asked = Case.objects.filter(pk__in={one.case_id for one in appointments if one.case_id})
    list(asked.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _coming(person: Person, now: datetime) -> list[Appointment]:
    """Their coming appointments, locked in the order of their ids, and before the person."""
    return list(
        Appointment.objects.coming(now)
        .filter(attendances__person=person)
        .select_related("service")
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
    )
