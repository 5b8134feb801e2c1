"""manage.py up: the whole practice on this host, until Ctrl-C."""

import os
import platform
import sys
from argparse import ArgumentParser
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

from django import get_version
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection, connections

from config import gate, launch, state, supervisor
from config.environment import CONFIG_ERROR, Misconfigured
from practice.demo import sign_ins
from practice.models import Practice


class Command(BaseCommand):
    help = "Runs the whole practice on this host: servers, web, worker and beat; Ctrl-C stops all."
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        launch.add_up_arguments(parser)

    def handle(self, *_: Any, port: int, host: str, check: bool, **__: Any) -> None:
        embedded = launch.started
        owner = supervisor.Supervisor(embedded.servers if embedded else [], self._say)
        try:
            gate.check_settings()
            if check:
                self._report()
                return
            self._start(owner, port, host)
            owner.watch()
        except supervisor.Stop:
            self._say("Stopping ...")
        except Misconfigured as refusal:
            self.stderr.write(str(refusal))
            raise SystemExit(CONFIG_ERROR) from None
        finally:
            owner.stop()

    def _start(self, owner: supervisor.Supervisor, port: int, host: str) -> None:
        data_dir: Path = settings.DUET["DATA_DIR"]
        logs = state.make_private(data_dir / "logs")
        call_command("migrate", verbosity=0, interactive=False)
        gate.check_keys()
        if settings.DUET["MODE"] == "demo" and not Practice.objects.exists():
            self._say("Loading the demo practice ...")
            call_command("demo", stdout=StringIO())
        if settings.DUET["MODE"] != "demo":
            # What comes with Duet; never over what the practice made of it.
            call_command("instrument", "import", "--shipped", stdout=StringIO())
            call_command("crisis", "load", stdout=StringIO())
        connections.close_all()
        if settings.DUET["MAILBOX"]:
            folder = data_dir / "mail"
            owner.add(supervisor.mail_sink(settings.MAILBOX_PORT, folder, logs))
        if settings.STATIC_ROOT:  # a demo serves them from where they lie
            call_command("collectstatic", verbosity=0, interactive=False)
        owner.add(supervisor.web(port, host, logs))
        self._announce(logs)
        owner.add(supervisor.worker(logs))
        owner.add(supervisor.beat(logs))
        launch.say_address(data_dir, settings.DUET["BASE_URL"])

    def _announce(self, logs: Path) -> None:
        duet = settings.DUET
        self._say(f"\nDuet is at {duet['BASE_URL']}/ ({duet['MODE']}).")
        if duet["MODE"] == "demo":
            self._say("Sign in as:")
            for name, password, role in sign_ins():
                self._say(f"  {name:<8} {password:<26} {role}")
        if duet["MAILBOX"]:
            self._say(f"Mail stays on this machine: {duet['BASE_URL']}/dev/mailbox/")
        else:
            self._say(f"Mail goes through {settings.EMAIL_HOST}.")
        if launch.started and launch.started.folder.parent != duet["DATA_DIR"]:
            self._say(f"The servers' user cannot get here: their data is {launch.started.folder}.")
        self._say(f"Logs are in {logs}. Ctrl-C stops everything.")

    def _report(self) -> None:
        """Say what would run, and where."""
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            (postgres,) = cursor.fetchone() or ("?",)
        lines = {
            "Python": f"{platform.python_version()} ({sys.executable})",
            "Django": get_version(),
            "Mode": settings.DUET["MODE"],
            "Data": str(settings.DUET["DATA_DIR"]),
            "Servers": str(launch.started.folder) if launch.started else "elsewhere",
            "PostgreSQL": f"{postgres}, {settings.DATABASES['default']['HOST'] or 'local'}",
            "Redis": settings.REDIS_URL.rpartition("@")[2],
            "Process": str(os.getpid()),
        }
        for name, value in lines.items():
            self._say(f"{name:11} {value}")
        if launch.started and launch.started.servers:
            self._say("The servers that Duet brings along are for one host, and for its own data.")

    def _say(self, text: str) -> None:
        with suppress(OSError):  # the terminal may be closed, and stopping must go on
            self.stdout.write(text)
            self.stdout.flush()
