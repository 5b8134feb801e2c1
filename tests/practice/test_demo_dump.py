"""A stolen dump of the demo practice holds none of its names, addresses or numbers."""

import re
import subprocess
from collections.abc import Iterator
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import pytest
from django.core.management import call_command
from django.db import connection

from clients.models import Person
from config.binaries import postgres_folder
from practice.demo import cast
from tests.config.running import Site, fresh_folder, site

# The members' own names stand in plain text: they sign in, and are on the public page.
MEMBERS = {"olive", "sam", "iris", "theo", "lucia", "rita", "uma"}
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.faults,
    pytest.mark.xdist_group("dump"),
]


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
    # A part of a name counts as a word of its own: "several" in a question names no Vera.
    found = set(re.findall(r"[^\W\d_]+", text)) - MEMBERS
    whole = {one for one in wanted if not one.isalpha()}
    assert len(whole) > 50
    leaked = {word for word in whole if word.casefold() in text}
    leaked |= {word for word in wanted - whole if word.casefold() in found}
    assert leaked == set()


def test_the_same_search_finds_what_stands_in_plain_text() -> None:
    call_command("demo", verbosity=0)
    assert "lantern house" in dump().casefold()


# --- a practice that runs ------------------------------------------------------------------------

PLANTED = ("zq9planted", "zq9planted@kx.example", "2015550179")


@pytest.fixture(scope="module")
def visited() -> Iterator[Site]:
    """A demo as `up` starts it, in which somebody of each role has been about."""
    with site(fresh_folder()) as running:
        for path in (
            "/",
            "/book/",
            f"/a/{PLANTED[0]}/",
            f"/desk/?q={PLANTED[1]}",
            "/api/v1/slots/",
        ):
            ask(build_opener(), running, path)
        for name, password, _role in cast.sign_ins():
            member = build_opener(HTTPCookieProcessor(CookieJar()))
            page = ask(member, running, "/accounts/login/")
            (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
            sent = {"csrfmiddlewaretoken": token, "login": name, "password": password}
            ask(member, running, "/accounts/login/", sent)
            for path in set(re.findall(r'href="(/desk/[^"?#]*)', ask(member, running, "/desk/"))):
                ask(member, running, path)
            page = ask(member, running, "/desk/cases/")
            (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[:1]
            for text in PLANTED:
                ask(member, running, "/desk/cases/", {"csrfmiddlewaretoken": token, "q": text})
        yield running


def ask(
    browser: OpenerDirector, running: Site, path: str, sent: dict[str, str] | None = None
) -> str:
    """A page, or the page of a refusal."""
    data = urlencode(sent).encode() if sent else None
    try:
        with browser.open(f"http://127.0.0.1:{running.port}{path}", data, timeout=20) as answer:
            return str(answer.read(), "utf-8", "replace")
    except HTTPError as refused:
        with refused:
            return str(refused.read(), "utf-8", "replace")


def files(folder: Path) -> Iterator[tuple[Path, str]]:
    """All that lies in the data folder as it lies there, but the mailbox: that is the other end."""
    for path in folder.rglob("*"):
        if path.is_file() and "mail" not in path.relative_to(folder).parts[:1]:
            yield path, path.read_bytes().decode("latin-1").casefold()


def test_its_logs_its_redis_and_its_files_name_nobody(visited: Site) -> None:
    call_command("demo", verbosity=0)  # the same practice once more, to know the names
    persons = Person.objects.select_related("key")
    whole = {text for one in persons for text in (one.name, one.email, one.phone) if text}
    wanted = {word.casefold() for word in (*whole, *PLANTED)}
    assert len(wanted) > 100
    found = dict(files(visited.folder))
    logs = {path: text for path, text in found.items() if path.suffix in {".log", ".output"}}
    kept = {path: text for path, text in found.items() if "appendonly" in str(path)}
    assert any("practice:desk-cases" in text for text in logs.values()), "the visits are in it"
    assert any("limit:" in text for text in kept.values()), "and what Redis counted"
    leaked = {(path.name, word) for path, text in found.items() for word in wanted if word in text}
    assert leaked == set()
    # In logs and Redis not even a part of a name.
    parts = {word.casefold() for word in words()} - MEMBERS
    text = set(re.findall(r"[^\W\d_]+", "\n".join([*logs.values(), *kept.values()])))
    assert parts & text == set()


def test_the_same_look_finds_what_stands_there(visited: Site) -> None:
    assert any("lantern house" in text for _path, text in files(visited.folder))
