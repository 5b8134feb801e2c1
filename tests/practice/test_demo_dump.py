"""A stolen dump of the demo practice holds none of its names, addresses or numbers."""

import subprocess

import pytest
from django.core.management import call_command
from django.db import connection

from clients.models import Person
from config.binaries import postgres_folder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]


def dump() -> str:
    """What the real `pg_dump` writes of this database."""
    settings = connection.get_connection_params()
    address = {
        "PGHOST": str(settings.get("host", "")),
        "PGPORT": str(settings.get("port", "")),
        "PGUSER": str(settings.get("user", "")),
        "PGPASSWORD": str(settings.get("password", "")),
        "PGDATABASE": str(settings["dbname"]),
    }
    done = subprocess.run(
        [str(postgres_folder() / "pg_dump")],
        env={name: value for name, value in address.items() if value},
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


def words() -> set[str]:
    """Every word of a name long enough to be looked for, every address, every number."""
    found: set[str] = set()
    for person in Person.objects.select_related("key"):
        found |= {word for word in person.name.split() if len(word) > 3}
        found |= {text for text in (person.name, person.email, person.phone) if text}
    return found


def test_a_dump_of_the_demo_practice_names_nobody() -> None:
    call_command("demo", verbosity=0)
    text = dump().casefold()
    assert "duet_clients_person" in text
    wanted = words()
    assert len(wanted) > 100
    # The members' own names stand in plain text: they sign in, and are on the public page.
    members = {name.casefold() for name in ("olive", "sam", "iris", "theo", "lucia")}
    leaked = {word for word in wanted if word.casefold() in text and word.casefold() not in members}
    assert leaked == set()


def test_the_same_search_finds_what_stands_in_plain_text() -> None:
    call_command("demo", verbosity=0)
    assert "lantern house" in dump().casefold()
