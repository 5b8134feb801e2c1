"""Makes the peer's migrations and tables and fills them from JSON on standard input.

Prints as its last line, as JSON, the ids of the service and of the staff member, and session keys
of signed-in clients.
"""

import json
import sys
import uuid
from datetime import date, time, timedelta
from importlib import import_module

import django
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.management import call_command


def main() -> None:
    django.setup()
    call_command("makemigrations", "appointment", verbosity=0)
    call_command("migrate", verbosity=0)
    sys.stdout.write(f"\n{json.dumps(_fill(json.load(sys.stdin)))}\n")


def _fill(wanted: dict) -> dict:  # type: ignore[type-arg]
    users = import_module("django.contrib.auth").get_user_model()
    models = import_module("appointment.models")
    models.Config.objects.create(
        slot_duration=wanted["step"],
        lead_time=time(9),
        finish_time=time(17),
        appointment_buffer_time=wanted["notice"],
        slot_gap_time=wanted["after"],
        website_name="Peer",
    )
    service = models.Service.objects.create(
        name="Session", duration=timedelta(minutes=wanted["length"]), price=0
    )
    staff = models.StaffMember.objects.create(user=users.objects.create_user("counselor"))
    staff.services_offered.add(service)
    for day in range(1, 6):  # Sunday is 0
        models.WorkingHours.objects.create(
            staff_member=staff, day_of_week=day, start_time=time(9), end_time=time(17)
        )
    models.DayOff.objects.create(
        staff_member=staff, start_date=wanted["day_off"], end_date=wanted["day_off"]
    )
    models.Unavailability.objects.bulk_create(
        models.Unavailability(
            staff_member=staff,
            date=date.fromisoformat(on),
            start_time=time.fromisoformat(start),
            end_time=time.fromisoformat(end),
        )
        for on, start, end in wanted["closed"]
    )
    clients = [
        users.objects.create_user(f"client{n}", f"client{n}@example.org")
        for n in range(wanted["clients"])
    ]
    requests = models.AppointmentRequest.objects.bulk_create(
        models.AppointmentRequest(
            date=date.fromisoformat(on),
            start_time=time.fromisoformat(start),
            end_time=time.fromisoformat(end),
            service=service,
            staff_member=staff,
            id_request=uuid.uuid4().hex,
        )
        for on, start, end in wanted["sessions"]
    )
    models.Appointment.objects.bulk_create(
        models.Appointment(
            client=clients[0],
            appointment_request=request,
            phone="+12015550101",
            amount_to_pay=0,
            id_request=uuid.uuid4().hex,
        )
        for request in requests
    )
    return {
        "service": service.pk,
        "staff": staff.pk,
        "sessions": [_signed_in(client) for client in clients],
    }


def _signed_in(user) -> str:  # type: ignore[no-untyped-def]
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return str(store.session_key)


if __name__ == "__main__":
    main()
