"""Holds and appointments are one table, so that one exclusion constraint guards both."""

import uuid
from datetime import datetime

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField, RangeOperators
from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import F, Q

from clients.models import Case, DataKey, Item, ItemQuerySet, Person, SealedText, shown
from clients.rules.actors import Actor
from clients.rules.permissions import Right, can
from practice.models.diary import Counselor, Room
from practice.models.periods import finite
from practice.models.services import Consent, Question, Service

NO_OVERLAP = "duet_appointment_no_overlap"
NO_ROOM_OVERLAP = "duet_appointment_no_room_overlap"


def _seen_by(member: Actor, path: str) -> Q:
    """What a member may know of: `path` leads to the appointment."""
    own = Q(**{f"{path}counselor__member": member.id})
    seen = Q(**{f"{path}case__in": Case.objects.visible_to(member)})
    if not can(member, Right.SEE_DIARY):
        return own | seen
    # The same, without a look at each case where none is hidden.
    return own | Q(**{f"{path}case__restricted_at__isnull": True}) | seen


class AppointmentQuerySet(models.QuerySet["Appointment"]):
    def visible_to(self, actor: Actor) -> "AppointmentQuerySet":
        """Booked ones: a member's own and those of cases that they see; a person's attended ones.

        Without the right to see the diary: one's own, and those of cases that one cares for.
        """
        booked = self.exclude(state=Appointment.State.HELD)
        if actor.kind == "system":
            return booked
        if actor.kind == "member":
            return booked.filter(_seen_by(actor, ""))
        if actor.kind == "person":
            return booked.filter(attendances__person=actor.id)
        return self.none()

    def held_under(self, hold_hash: bytes, now: datetime) -> "AppointmentQuerySet":
        """The live hold of the one who has its token."""
        return self.filter(state=Appointment.State.HELD, hold_hash=hold_hash, held_until__gt=now)

    def coming(self, now: datetime) -> "AppointmentQuerySet":
        """Those that take place and have not ended."""
        return self.filter(state__in=Appointment.TAKES_PLACE).ending_after(now)

    def between(self, low: datetime, high: datetime) -> "AppointmentQuerySet":
        """Those with a part of their session in [low, high), but for cancelled ones."""
        standing = self.exclude(state=Appointment.State.CANCELLED).ending_after(low)
        return standing.filter(period__overlap=DateTimeTZRange(low, high))

    def in_the_way_of(self, low: datetime, high: datetime) -> "AppointmentQuerySet":
        """Those whose blocked time has a part in [low, high), but for cancelled ones."""
        standing = self.exclude(state=Appointment.State.CANCELLED)
        return standing.filter(
            blocked__overlap=DateTimeTZRange(low, high), blocked__endswith__gt=low
        )

    def ending_after(self, moment: datetime) -> "AppointmentQuerySet":
        """Those whose session ends later: so their blocked time does, which an index knows."""
        return self.filter(period__endswith__gt=moment, blocked__endswith__gt=moment)


class Appointment(models.Model):
    """A period of one counselor's time, held, asked for or booked.

    `period` is the session, `blocked` the session with its buffers: what nobody else may have.
    """

    class State(models.TextChoices):
        HELD = "held"
        REQUESTED = "requested"
        CONFIRMED = "confirmed"
        CANCELLED = "cancelled"
        DONE = "done"
        NO_SHOW = "no_show"

    TAKES_PLACE = (State.REQUESTED, State.CONFIRMED)
    # Of what is over, what nobody has put down as missed: an hour that may have been one of care.
    ATTENDED = (State.DONE, State.CONFIRMED)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    counselor = models.ForeignKey(Counselor, on_delete=models.PROTECT, related_name="appointments")
    service = models.ForeignKey(Service, on_delete=models.PROTECT, related_name="appointments")
    case = models.ForeignKey(Case, on_delete=models.PROTECT, null=True, related_name="appointments")
    room = models.ForeignKey(Room, on_delete=models.PROTECT, null=True)
    state = models.CharField(max_length=9, choices=State)
    period = DateTimeRangeField()
    blocked = DateTimeRangeField()
    overbooked = models.BooleanField(default=False)
    # Under which version of the counselor's hours it was offered, or why it was made beside them.
    offered_under = models.PositiveIntegerField(null=True)
    override_reason = models.CharField(max_length=200, blank=True, default="")
    held_until = models.DateTimeField(null=True)
    hold_hash = models.BinaryField(max_length=32, null=True)
    # Raised by every move and by cancelling: the SEQUENCE of the calendar entry.
    sequence = models.PositiveIntegerField(default=0)
    # What was agreed in words: the wall time and its zone. The instant is authoritative.
    agreed_zone = models.CharField(max_length=64)
    agreed_wall = models.CharField(max_length=16)
    from_article = models.SlugField(blank=True, default="")
    created_at = models.DateTimeField()
    # When it was last booked or moved: reminders whose moment lies before it are not sent.
    settled_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        constraints = [
            ExclusionConstraint(
                name=NO_OVERLAP,
                expressions=[
                    ("counselor", RangeOperators.EQUAL),
                    ("blocked", RangeOperators.OVERLAPS),
                ],
                condition=~Q(state="cancelled") & Q(overbooked=False),
            ),
            # A room is needed for the session only; buffers belong to the counselor.
            ExclusionConstraint(
                name=NO_ROOM_OVERLAP,
                expressions=[
                    ("room", RangeOperators.EQUAL),
                    ("period", RangeOperators.OVERLAPS),
                ],
                condition=~Q(state="cancelled") & Q(overbooked=False, room__isnull=False),
            ),
            finite("appointment", "period"),
            finite("appointment", "blocked"),
            models.CheckConstraint(
                name="duet_appointment_blocked_holds_period",
                condition=Q(blocked__contains=F("period")),
            ),
            models.CheckConstraint(
                name="duet_appointment_held_pair",
                condition=Q(state="held", held_until__isnull=False, hold_hash__isnull=False)
                & Q(case__isnull=True)
                | ~Q(state="held")
                & Q(held_until__isnull=True, hold_hash__isnull=True, case__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_appointment_cancelled_pair",
                condition=Q(state="cancelled", cancelled_at__isnull=False)
                | ~Q(state="cancelled") & Q(cancelled_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_appointment_says_its_offer",
                condition=Q(offered_under__isnull=False, override_reason="")
                | Q(offered_under__isnull=True) & ~Q(override_reason=""),
            ),
            models.CheckConstraint(
                name="duet_appointment_overbooked_with_reason",
                condition=Q(overbooked=False) | ~Q(override_reason=""),
            ),
            models.UniqueConstraint(
                name="duet_appointment_hold_hash",
                fields=["hold_hash"],
                condition=Q(hold_hash__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                name="duet_appointment_expiring",
                fields=["held_until"],
                condition=Q(state="held"),
            ),
            # What ends after a moment, without reading what has long been over.
            models.Index(
                F("counselor"),
                F("blocked__endswith"),
                name="duet_appointment_counselor",
            ),
            models.Index(
                F("room"),
                F("period__endswith"),
                name="duet_appointment_room",
                condition=~Q(state="cancelled") & Q(room__isnull=False),
            ),
            models.Index(F("period__endswith"), name="duet_appointment_ends"),
            # The few rows that the exclusion constraint doesn't know, and the guard asks for.
            models.Index(
                name="duet_appointment_overbooked",
                fields=["counselor"],
                condition=Q(overbooked=True) & ~Q(state="cancelled"),
            ),
        ]

    @property
    def starts_at(self) -> datetime:
        start: datetime = self.period.lower
        return start

    @property
    def ends_at(self) -> datetime:
        end: datetime = self.period.upper
        return end


class AttendanceQuerySet(models.QuerySet["Attendance"]):
    def visible_to(self, actor: Actor) -> "AttendanceQuerySet":
        """Members see those of the appointments that they see; a person sees only their own."""
        if actor.kind == "system":
            return self
        if actor.kind == "member":
            return self.filter(_seen_by(actor, "appointment__"))
        if actor.kind == "person":
            return self.filter(person=actor.id)
        return self.none()

    def opened_by(self, token_hash: bytes) -> "AttendanceQuerySet":
        """The one attendance that a link opens."""
        return self.filter(token_hash=token_hash)

    def ending_after(self, moment: datetime) -> "AttendanceQuerySet":
        """Those whose time, as their person knows it, ends later."""
        return self.filter(
            Q(left_period__isnull=True, appointment__period__endswith__gt=moment)
            | Q(left_period__endswith__gt=moment)
        )


class Attendance(models.Model):
    """One person's part in an appointment: own state, own link, own contact, own zone."""

    class Role(models.TextChoices):
        BOOKER = "booker"
        PARTNER = "partner"

    class State(models.TextChoices):
        EXPECTED = "expected"
        CONFIRMED = "confirmed"
        CANCELLED = "cancelled"

    class Gate(models.TextChoices):
        OPEN = "open"
        SAID_UNSAFE = "said_unsafe"
        SHARED_ADDRESS = "shared_address"
        PRIVATE_CHECK = "private_check"
        NO_CONTACT = "no_contact"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    appointment = models.ForeignKey(
        Appointment, on_delete=models.PROTECT, related_name="attendances"
    )
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="attendances")
    role = models.CharField(max_length=7, choices=Role)
    state = models.CharField(max_length=9, choices=State)
    # Whether anything may be written to this person about the appointment, and if not, why.
    gate = models.CharField(max_length=14, choices=Gate)
    gate_opened_at = models.DateTimeField(null=True)
    token_hash = models.BinaryField(max_length=32, unique=True)
    # Kept, sealed, since a reminder must print the link again.
    token = SealedText()
    confirmed_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    cancel_reason = SealedText(null=True)
    # Somebody who has left is shown the time that they left, whatever becomes of the others'.
    left_period = DateTimeRangeField(null=True)
    left_sequence = models.PositiveIntegerField(null=True)

    objects = AttendanceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_attendance_once", fields=["appointment", "person"]),
            models.UniqueConstraint(
                name="duet_attendance_one_booker",
                fields=["appointment"],
                condition=Q(role="booker"),
            ),
            models.CheckConstraint(
                name="duet_attendance_gate_pair",
                condition=Q(gate="open", gate_opened_at__isnull=False)
                | ~Q(gate="open") & Q(gate_opened_at__isnull=True),
            ),
            models.CheckConstraint(
                name="duet_attendance_confirmed_pair",
                condition=~Q(state="confirmed") | Q(confirmed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="duet_attendance_cancelled_pair",
                condition=Q(state="cancelled", cancelled_at__isnull=False)
                | ~Q(state="cancelled") & Q(cancelled_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                name="duet_attendance_shut",
                fields=["appointment"],
                condition=~Q(gate="open") & ~Q(state="cancelled"),
            ),
        ]

    shown_cancel_reason = shown("cancel_reason")

    def sealing_key(self) -> DataKey:
        return self.person.key

    @property
    def starts_at(self) -> datetime:
        start: datetime = (self.left_period or self.appointment.period).lower
        return start

    @property
    def ends_at(self) -> datetime:
        end: datetime = (self.left_period or self.appointment.period).upper
        return end

    @property
    def sequence(self) -> int:
        return self.appointment.sequence if self.left_sequence is None else self.left_sequence


class Answer(Item):
    """What an attendee answered before booking; for that person and the practice alone."""

    CASE, PERSON = "attendance__appointment__case", "attendance__person"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attendance = models.ForeignKey(Attendance, on_delete=models.PROTECT, related_name="answers")
    question = models.ForeignKey(Question, on_delete=models.PROTECT)
    text = SealedText()

    objects = ItemQuerySet["Answer"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_answer_once", fields=["attendance", "question"])
        ]

    shown_text = shown("text")

    def sealing_key(self) -> DataKey:
        return self.attendance.person.key


class ConsentGiven(models.Model):
    """An attendee agreed to one version of a text at one moment."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    attendance = models.ForeignKey(Attendance, on_delete=models.PROTECT, related_name="consents")
    consent = models.ForeignKey(Consent, on_delete=models.PROTECT)
    given_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_consentgiven_once", fields=["attendance", "consent"])
        ]


class BookedOnce(models.Model):
    """What a booking that came with an idempotency key became; the same key answers the same.

    Keys and bodies are kept as hashes: a body names persons.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_hash = models.BinaryField(max_length=32, unique=True)
    body_hash = models.BinaryField(max_length=32)
    attendance = models.ForeignKey(Attendance, on_delete=models.CASCADE)
    created_at = models.DateTimeField(db_index=True)
