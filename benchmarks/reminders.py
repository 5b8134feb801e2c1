"""Reminders that are due, for the benchmarks: made once, made due again before every round."""

import hashlib
import secrets
from datetime import timedelta

from django.contrib.auth import get_user_model
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.utils import timezone

from clients.actions import people
from clients.models import Member, Message
from clients.rules.actors import Actor
from practice.models import Appointment, Attendance, Counselor, Practice, Service

_PERSONS = 100
_PER_COUNSELOR = 200
_HOUR = timedelta(hours=1)


def fill(count: int) -> None:
    """So many confirmed appointments, each with a reminder that is due."""
    now = timezone.now().replace(microsecond=0)
    by = Actor.system()
    Practice.objects.create(
        name="Elm Street Practice",
        neutral_name="Elm Street",
        zone="America/New_York",
        cutoff_minutes=1440,
        confirmation_delay_seconds=0,
        hold_minutes=10,
    )
    service = Service.objects.create(
        slug="talk", name="Talk", minutes=50, notice=120, place_text="12 Lantern Street"
    )
    persons = [
        people.make_person(
            new=people.NewPerson(
                name="Robin Reed",
                email=f"robin{number}@example.org",
                phone=None,
                language="es" if number % 4 == 0 else "en",
                zone="Europe/Madrid" if number % 4 == 0 else "America/New_York",
            ),
            by=by,
            now=now,
        )
        for number in range(_PERSONS)
    ]
    cases = [
        people.open_case(persons=[person], counselor=None, by=by, now=now) for person in persons
    ]
    counselors = [_counselor(number) for number in range(-(-count // _PER_COUNSELOR))]
    appointments, attendances, messages = [], [], []
    for number in range(count):
        start = now + timedelta(days=3) + number % _PER_COUNSELOR * _HOUR
        person, token = persons[number % _PERSONS], secrets.token_urlsafe(16)
        appointment = Appointment(
            counselor=counselors[number // _PER_COUNSELOR],
            service=service,
            case=cases[number % _PERSONS],
            state=Appointment.State.CONFIRMED,
            period=DateTimeTZRange(start, start + timedelta(minutes=50)),
            blocked=DateTimeTZRange(start, start + timedelta(minutes=50)),
            offered_under=1,
            agreed_zone="America/New_York",
            agreed_wall=f"{start:%Y-%m-%dT%H:%M}",
            created_at=now,
            settled_at=now,
        )
        attendance = Attendance(
            appointment=appointment,
            person=person,
            role=Attendance.Role.BOOKER,
            state=Attendance.State.CONFIRMED,
            gate=Attendance.Gate.OPEN,
            gate_opened_at=now,
            token_hash=hashlib.sha256(token.encode()).digest(),
            token=token,
            confirmed_at=now,
        )
        message = Message(
            purpose="reminder-2880",
            subject_kind="attendance",
            subject_id=attendance.pk,
            person=person,
            channel="email",
            version=0,
            planned_at=now,
            due_at=now,
            window_ends_at=start,
            about_at=start,
            next_try_at=now,
        )
        appointments.append(appointment)
        attendances.append(attendance)
        messages.append(message)
    Appointment.objects.bulk_create(appointments, batch_size=500)
    Attendance.objects.bulk_create(attendances, batch_size=500)
    Message.objects.bulk_create(messages, batch_size=500)


def make_due() -> None:
    """Let all be due once more, in tables without old versions of rows."""
    Message.objects.update(
        state="planned", sent_at=None, uncertain_at=None, attempts=0, next_try_at=timezone.now()
    )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM duet_clients_message, duet_clients_auditentry")


def _counselor(number: int) -> Counselor:
    user = get_user_model().objects.create_user(username=f"counselor{number}")
    member = Member.objects.create(user=user, name=f"Counselor {number}", roles=["counselor"])
    return Counselor.objects.create(
        member=member, slug=f"counselor-{number}", zone="America/New_York", languages=["en"]
    )
