"""django-appointment, set up with the same diary and served by the same web server."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import urlencode

from benchmarks import client, peers, servers, workload
from practice.rules import wall

# Rests count on both sides of a closed stretch there, so it ends ten minutes earlier.
_LUNCH = ("12:00", "12:50")
_AROUND_ALTERED = (("09:00", "09:50"), ("15:00", "17:00"))


@dataclass(frozen=True)
class Peer:
    """The running site, and what a request to it names."""

    site: servers.Site
    service: int
    staff: int
    sessions: list[str]

    def day_calls(self, window: workload.Window) -> list[bytes]:
        """Its answers are those of one day: one call for each."""
        days = (window.first + timedelta(days=n) for n in range(workload.DAYS))
        return [self._day(day) for day in days]

    def _day(self, day: date) -> bytes:
        query = urlencode(
            {"selected_date": day, "staff_member": self.staff, "service_id": self.service}
        )
        path = f"/appointment/ajax/available_slots/?{query}"
        return client.get(path, self.site.port, X_Requested_With="XMLHttpRequest")

    def book(self, connection: client.Client, number: int, start: int) -> bool:
        """Book as the signed-in client of that number, by its two forms; whether it said yes."""
        local = wall.wall(start, workload.ZONE)
        end = wall.wall(start + workload.LENGTH, workload.ZONE)
        asked = {
            "date": local.date(),
            "start_time": local.strftime("%H:%M"),
            "end_time": end.strftime("%H:%M"),
            "service": self.service,
            "staff_member": self.staff,
        }
        first = self._post(connection, "/appointment/request-submit/", asked, number)
        if first.status != 302:
            return False
        person = {
            "name": "Robin Reed",
            "email": f"client{number}@example.org",
            "phone_0": "US",
            "phone_1": "2015550101",
            "address": "",
            "additional_info": "",
            "want_reminder": "on",
            "payment_type": "full",
        }
        second = self._post(connection, first.headers["location"], person, number)
        return second.status == 302

    def _post(
        self, connection: client.Client, path: str, form: Mapping[str, object], number: int
    ) -> client.Answer:
        return connection.send(
            client.post(
                path,
                self.site.port,
                urlencode(form).encode(),
                kind="application/x-www-form-urlencoded",
                Cookie=f"sessionid={self.sessions[number % len(self.sessions)]}",
            )
        )


def start(
    stage: servers.Stage, window: workload.Window, sessions: Iterable[int], clients: int = 50
) -> Peer:
    """Fill a database of its own with these sessions of one counselor, and serve it."""
    url = stage.database("peer")
    (stage.folder / "peer_migrations").mkdir()
    (stage.folder / "peer_migrations" / "__init__.py").touch()
    names = {f"PEER_{name}": value for name, value in servers.parts_of(url).items()} | {
        "PEER_ZONE": workload.ZONE,
        "PYTHONPATH": f"{servers.ROOT}:{stage.folder}",
        "DJANGO_SETTINGS_MODULE": "benchmarks.peer_appointment.settings",
    }
    done = subprocess.run(
        [str(peers.PYTHON), "-m", "benchmarks.peer_appointment"],
        input=json.dumps(_wanted(window, sessions, clients)),
        env=names,
        cwd=servers.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"django-appointment can't be set up:\n{done.stderr[-2000:]}")
    made = json.loads(done.stdout.splitlines()[-1])  # it logs to standard output itself
    stage.vacuum(url)
    site = stage.site(
        "django-appointment",
        wsgi="benchmarks.peer_appointment.wsgi:application",
        environment=names,
        python=peers.PYTHON,
    )
    return Peer(site, made["service"], made["staff"], made["sessions"])


def _wanted(window: workload.Window, sessions: Iterable[int], clients: int) -> dict[str, object]:
    """The diary as far as its model goes: it has one stretch a weekday, so lunch is closed."""
    days = (window.first + timedelta(days=n) for n in range(workload.DAYS))
    working = [day for day in days if day.weekday() < 5]
    closed = [(day, *_LUNCH) for day in working if day != window.altered_day]
    closed += [(window.altered_day, *stretch) for stretch in _AROUND_ALTERED]
    return {
        "length": workload.LENGTH,
        "step": workload.STEP,
        "after": workload.AFTER,
        "notice": workload.NOTICE,
        "day_off": str(window.day_off),
        "closed": [(str(day), start, end) for day, start, end in closed],
        "clients": clients,
        "sessions": [_local(start) for start in sessions],
    }


def _local(start: int) -> tuple[str, str, str]:
    begins = wall.wall(start, workload.ZONE)
    ends = wall.wall(start + workload.LENGTH, workload.ZONE)
    return str(begins.date()), begins.strftime("%H:%M"), ends.strftime("%H:%M")
