"""The matrix: every route, every method, everybody; and no word that isn't theirs to see.

What each answers stands in `tests/matrix.py`; what each may see, in `tests/canaries.py`. One
practice serves all of it: whatever a request writes is rolled back behind it.
"""

import json
import logging
import re
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client
from django.urls import clear_url_caches, get_resolver, path
from django.utils import timezone
from pytest_django import Settings

from clients.models import Case, Member
from clients.queries import people, permissions
from clients.queries.permissions import MEMBER, METHODS
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor
from clients.rules.permissions import Right, can
from clients.rules.standing import Standing
from config import urls, views
from practice.models import Appointment
from practice.models.appointments import AppointmentQuerySet
from practice.queries import diary
from tests import canaries, matrix
from tests import factories as make
from tests.canaries import Cast, Word

# Each test has a transaction of its own inside the one that holds the practice.
pytestmark = pytest.mark.django_db

CASES = tuple(canaries.CASES)
ABSENT = "-"
VISITOR = "visitor"
SAFE = {"GET", "HEAD"}
# Where those are led who have to show first who they are.
TO = {r"/accounts/login/": "in", r"/portal/$": "ask", r"/portal/prove/\?then=": "prove"}
AT_THE_DOOR = {*TO.values(), "401", "403"}
# Answered: with what was asked for, a way on, or a refusal of what was sent.
OK = {200, 201, 202, 204, 302, 303, 400, 409, 413, 415, 422}
# What looking may write: that somebody looked, and that their session was used.
_TRAIL = {"duet_clients_auditentry", "duet_site_session"}
# And what else, by exception: a link that leaves ends what it leaves.
MAY_WRITE = {"/exit/": {"duet_clients_clientsession"}}
_WRITES = re.compile(r'^\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)

ROWS: dict[str, list[matrix.Row]] = defaultdict(list)
for _row in matrix.rows():
    ROWS[_row.route].append(_row)
ROUTES = {route.name: route for route in permissions.routes()}


# --- one practice for all ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cast(django_db_setup: None, django_db_blocker: Any) -> Iterator[Cast]:
    """The practice; the clock stands at `make.NOW`, and nothing of it is ever committed."""
    with pytest.MonkeyPatch.context() as patched, django_db_blocker.unblock(), transaction.atomic():
        patched.setattr(timezone, "now", lambda: make.NOW)
        logging.disable(logging.CRITICAL)  # thousands of refusals, each with its trace
        yield canaries.populate()
        logging.disable(logging.NOTSET)
        transaction.set_rollback(True)


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written inside is taken back."""
    point = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(point)


@dataclass
class Asked:
    """One request, and what came of it."""

    caller: str
    method: str
    address: str
    status: int
    location: str
    headers: dict[str, str]
    body: str
    written: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return f"{self.caller} {self.method} {self.address}: {self.status} {self.location}".rstrip()

    @property
    def outcome(self) -> str:
        """In the words of the table."""
        # Whoever signs out is led to where one comes in, too, but has done something.
        for start, word in TO.items() if self.status == 302 and not self.written else ():
            if re.match(start, self.location):
                return word
        return "ok" if self.status in OK else str(self.status)

    def alike(self, name: str) -> tuple[object, ...]:
        """What somebody can tell answers apart by, but for what they asked for themselves."""
        headers = {
            key: value.replace(name, "")
            for key, value in self.headers.items()
            if key not in {"X-Request-ID", "Date"}
        }
        body = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", self.body)
        return self.status, headers, body.replace(name, "")


def ask(
    cast: Cast, caller: str, method: str, address: str, body: Any = None, **headers: str
) -> Asked:
    """Send one request as somebody, and take back what it wrote."""
    written: set[str] = set()

    def note(execute: Callable[..., Any], sql: Any, params: Any, many: bool, about: Any) -> Any:
        answer = execute(sql, params, many, about)
        found = _WRITES.match(str(sql))
        if found and about["cursor"].rowcount:
            written.add(found[1])
        return answer

    client: Client = cast.clients[caller]
    kept = dict(client.cookies.items())
    is_json = address.startswith("/api/")
    sent: dict[str, Any] = {}
    if method not in SAFE:
        sent = {"data": body if body is not None else {}}
        if is_json:
            sent["content_type"] = "application/json"
        elif method != "POST":
            sent = {}
    with undone(), connection.execute_wrapper(note):
        answer = getattr(client, method.lower())(address, headers=headers or None, **sent)
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    client.cookies.clear()
    client.cookies.update(kept)
    return Asked(
        caller,
        method,
        address,
        answer.status_code,
        answer.headers.get("Location", ""),
        dict(answer.headers),
        content.decode(errors="replace"),
        written,
    )


# --- addresses -----------------------------------------------------------------------------------


def named(cast: Cast, names: str) -> dict[str, str]:
    """What a route's address names, of each case; and one that nobody has."""
    made_up = {
        **dict.fromkeys(("token", "link", "intake"), "B" * 22),
        "service": "none",
        "hours": "none",
        "instrument": "none",
    }
    absent = made_up.get(names, str(uuid.UUID(int=7)))
    return cast.named.get(names, {}) | {ABSENT: absent}


def address_of(path: str, value: str) -> str:
    """A route's address with a value in the place of its parameter; others are made up."""
    made = re.sub(r"<(?:uuid|\w*token|slug):\w+>", value, path)
    made = made.replace("<str:key>", "x").replace("<int:number>", "1").replace("<int:pk>", "7")
    return "/" + made.replace(".+", "anything").replace("\\Z", "")


# --- every route has a row -----------------------------------------------------------------------


def without_a_row() -> set[str]:
    return {route.name or route.path for route in permissions.routes()} - set(ROWS)


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert without_a_row() == set(), "routes without a row in tests/matrix.py"
    assert set(ROWS) - set(ROUTES) == set(), "rows of routes that are no more"
    assert len(ROUTES) == len(permissions.routes()), "two routes of one name"


@pytest.mark.parametrize("name", ROUTES)
def test_a_row_has_the_methods_that_the_view_takes(name: str) -> None:
    told = {method for row in ROWS[name] for method in row.methods} - {"-"}
    taken = set(ROUTES[name].methods) - {"HEAD"}
    assert told == taken, "what `permissions` prints, and what the table says"


@pytest.mark.parametrize("name", ROUTES)
def test_a_route_says_what_it_is_about(name: str) -> None:
    known = {str(model._meta.model_name) for model in apps.get_models()} | {"site"}
    assert ROUTES[name].about in known, "no `doors.about` at its door, or of no model"


# Who stands in the table for somebody in the printed matrix.
STANDS_FOR = {
    "visitor": "visitor",
    "front_desk": "sam",
    "reviewer": "rita",
    "counselor": "iris",
    "supervisor": "una",
    "admin": "olive",
    "client": "ana1",
    "client_proved": "ana2",
}


ONE_OF_EACH = ("stranger", *STANDS_FOR.values())


def by_method(name: str) -> list[tuple[matrix.Row, str]]:
    return [(row, method) for row in ROWS[name] for method in row.methods]


# Behind these doors more than a right is asked for, and refused with 401 or 403.
NARROWER = {
    "account_reauthenticate": "a password that is wrong, or missing, is answered with 401",
    "practice:desk-book": "who keeps no diary, neither their own nor everybody's, books nothing",
}


@pytest.mark.parametrize("name", ROUTES)
def test_the_printed_matrix_lets_in_whom_the_table_does(name: str) -> None:
    route = ROUTES[name]
    if route.door in {"public", "visitor", "by_link"} and not route.inside:
        # To these anybody may come: what counts is what the address or the browser brings along.
        return
    for role, caller in STANDS_FOR.items():
        for row, method in by_method(name):
            let_in = row.cells[caller] not in AT_THE_DOOR
            narrowed = name in NARROWER and row.cells[caller] in {"401", "403"}
            assert route.lets_in(role, method) == let_in or narrowed, (role, method)


def test_the_page_in_the_docs_is_what_the_command_prints() -> None:
    printed = StringIO()
    call_command("permissions", stdout=printed)
    page = Path(__file__).parent.parent / "docs" / "permissions.md"
    assert page.read_text() == printed.getvalue(), "manage.py permissions > docs/permissions.md"


def test_programs_are_told_the_same() -> None:
    printed = StringIO()
    call_command("permissions", "--json", stdout=printed)
    told = json.loads(printed.getvalue())
    assert [route["name"] for route in told["routes"]] == list(ROUTES)
    assert set(told["roles"]) == set(Member.Role.values)
    for words in (one for one in told["objects"] if one["audience"] == "staff"):
        assert words["roles"]["reviewer"]["rows"] == "unrestricted"
        assert words["roles"]["front_desk"]["rows"] == "none"


# --- the walk ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ROUTES)
def test_everybody_is_answered_as_the_table_says_and_reads_nothing_of_others(
    cast: Cast, name: str
) -> None:
    route, faults = ROUTES[name], []
    for method in METHODS:
        row = row_of(route, method)
        for caller in who_may_differ(route, row):
            if row is None:
                faults += refused(cast, name, caller, method)
            else:
                faults += answered(cast, route, row, caller, method)
    assert faults == []


def who_may_differ(route: permissions.Route, row: matrix.Row | None) -> tuple[str, ...]:
    """Everybody where rows make a difference between two of a role; else one of each."""
    if row is None or route.door in {"public", "by_link"}:
        return ONE_OF_EACH
    if route.door == "visitor":
        return (*ONE_OF_EACH, "link")
    return (*ONE_OF_EACH, "ben2") if route.door.startswith("portal") else matrix.CALLERS


def row_of(route: permissions.Route, method: str) -> matrix.Row | None:
    """The row of a method that the route takes; HEAD's is that of GET."""
    if method not in route.methods:
        return None
    wanted = "GET" if method == "HEAD" else method
    return next((row for row in ROWS[route.name] if wanted in row.methods), None)


def refused(cast: Cast, name: str, caller: str, method: str) -> list[str]:
    """A method that the route doesn't take: 405, or what its door says to everything."""
    row = ROWS[name][0]
    values = named(cast, row.names)
    value = values.get("A", values[ABSENT])
    asked = ask(cast, caller, method, address_of(ROUTES[name].path, value))
    at_the_door = {row.cells[caller] for row in ROWS[name]} & {*AT_THE_DOOR, "404"}
    fine = asked.outcome in {"405"} | at_the_door
    return ([] if fine else [f"{asked}, not 405"]) + leaks(cast, name, asked) + wrote(asked)


def answered(
    cast: Cast, route: permissions.Route, row: matrix.Row, caller: str, method: str
) -> list[str]:
    """What comes of a method that the route takes, for everything that its address can name."""
    faults = []
    body = BODIES.get(route.name, _nothing)
    values = named(cast, row.names)
    absent = None
    # The one that nobody has comes first: what is forbidden is held against it.
    for which in (ABSENT, *asked_for(route, values, caller, method)):
        wanted = expected(row, caller, which)
        address = address_of(route.path, values[which])
        asked = ask(cast, caller, method, address, body(cast, which))
        if asked.outcome != wanted:
            faults.append(f"{asked}, not {wanted}, of {which}")
        if wanted == "404" and row.names != "-":
            absent = absent or (asked, values[which])
            if asked.alike(values[which]) != absent[0].alike(absent[1]):
                faults.append(f"{asked}: forbidden isn't as absent")
        faults += leaks(cast, route.name, asked) + wrote(asked)
    if method == "GET":
        case_of_pages = values.get("A", values[ABSENT])
        for query in QUERIES.get(route.name, ()):
            filled = query.format(**{case: cast.cases[case].pk for case in CASES})
            asked = ask(cast, caller, method, address_of(route.path, case_of_pages) + filled)
            faults += leaks(cast, route.name, asked) + wrote(asked)
    if method == "GET" and MEMBER in route.admits and VISITOR not in route.admits:
        # As a part of a page.
        address = address_of(route.path, values.get("R", values[ABSENT]))
        asked = ask(cast, caller, method, address, **{"HX-Request": "true"})
        faults += leaks(cast, route.name, asked) + wrote(asked)
    return faults


def asked_for(
    route: permissions.Route, values: dict[str, str], caller: str, method: str
) -> list[str]:
    """Of the cases those that are asked for: all where it can make a difference."""
    named = [case for case in CASES if case in values]
    # Behind a link nobody is anybody but whose link it is; HEAD is GET without its body.
    one_will_do = method == "HEAD" or (route.door == "by_link" and caller != "visitor")
    return ["R"] if one_will_do and "R" in named else named


def expected(row: matrix.Row, caller: str, which: str) -> str:
    """What the cell says of one case, in a word."""
    cell = row.cells[caller]
    if cell in {"ok", "404", *AT_THE_DOOR}:
        return cell
    for part in cell.split():
        if which in part.rstrip("!") and which != ABSENT:
            return "403" if part.endswith("!") else "ok"
    return "404"


def leaks(cast: Cast, name: str, asked: Asked) -> list[str]:
    """Words of somebody that this caller may not see, in the body or the headers."""
    told = cast.found_in(asked.body) | cast.found_in("\n".join(asked.headers.values()))
    return [f"{asked}: {what} of {who}" for who, what in sorted(told - may_see(cast, name, asked))]


def may_see(cast: Cast, name: str, asked: Asked) -> set[Word]:
    """A link opens one part and shows nobody's name; public pages show nobody at all."""
    door = ROUTES[name].door
    if asked.caller == "link" and asked.address.startswith("/i/"):
        # She goes on with what she began; what she sent is closed. And what the practice told her.
        return {("ana", canaries.UNSENT), ("ana", canaries.TOLD), ("ana", canaries.TOKEN)}
    if door in {"public", "visitor"}:
        return set()
    if door == "by_link":
        opened = {who for who, row in cast.attendances.items() if row.token in asked.address}
        filled_in = {who for who, row in cast.intakes.items() if row.token in asked.address}
        return {(who, canaries.TOKEN) for who in opened | filled_in}
    if name == "practice:portal-mine":
        # The way on to what waits behind one's own link.
        return canaries.allowed(asked.caller) | {(asked.caller[:-1], canaries.TOKEN)}
    return canaries.allowed(asked.caller)


def wrote(asked: Asked) -> list[str]:
    """Looking writes nothing but that somebody looked; what is refused writes nothing."""
    trail = _TRAIL | MAY_WRITE.get(asked.address, set())
    changed = {table for table in asked.written - trail if table.startswith("duet_")}
    is_refused = asked.status in {401, 403, 404, 405} or asked.outcome in AT_THE_DOOR
    if changed and (is_refused or asked.method in SAFE):
        return [f"{asked}: wrote {sorted(changed)}"]
    return []


# What forms send that are filled in as they should be; without one, nothing is sent.
def _nothing(_cast: Cast, _case: str) -> None:
    return None


def _own(cast: Cast, _case: str) -> dict[str, str]:
    return {"own": str(cast.attendances["ana"].pk)}


def _own_forms(cast: Cast, _case: str) -> dict[str, str]:
    return {"own": str(cast.intakes["ana"].pk), "q-close": "never", "revision": "1"}


BODIES: dict[str, Callable[[Cast, str], Any]] = {
    "practice:attendance-mine-confirm": _own,
    "practice:attendance-mine-move": _own,
    "practice:attendance-mine-cancel": _own,
    **dict.fromkeys(("intake:policy", "intake:page", "intake:save", "intake:review"), _own_forms),
    "practice:desk-form-rules": lambda cast, _case: {
        "slug": cast.named["instrument"]["A"],
        "service": "",
        "when": "every_second",
        "who": "each",
        "due_hours_before": "24",
        "position": "0",
    },
    "practice:desk-form-rule": lambda _cast, _case: {
        "who": "booker",
        "due_hours_before": "12",
        "position": "1",
    },
    "practice:desk-form-rule-switch": lambda _cast, _case: {"active": "yes"},
    "practice:desk-form-rules-kept": lambda _cast, _case: {
        "secrets_policy": "no_secrets",
        "review_within_hours": "24",
        "escalate_after_hours": "2",
    },
    "practice:desk-close": lambda _cast, _case: {"came": "yes"},
    "practice:desk-move": lambda _cast, _case: {
        "date": "2027-01-20",
        "time": "11:00",
        "reason": "They asked.",
    },
    "practice:desk-book": lambda cast, case: {
        "service": "first-talk",
        "counselor": "theo" if case == "O" else "iris",
        "case": str(cast.cases[case].pk) if case in cast.cases else "",
        "date": "2027-01-20",
        "time": "11:00",
        "reason": "They asked.",
    },
}
# Addresses that pages make: lists narrowed down, forms about a case.
QUERIES: dict[str, tuple[str, ...]] = {
    "practice:desk": ("?counselor=theo", "?counselor=iris"),
    "practice:desk-book": (
        *(f"?case={{{case}}}" for case in CASES),
        "?service=first-talk&counselor=iris&case={R}",
        "?service=first-talk&counselor=theo&case={A}",
    ),
    "practice:api-appointments": ("?counselor=theo", "?ordering=-start&page_size=1"),
}


# --- the guards of this test ---------------------------------------------------------------------


def test_a_view_without_a_row_is_found(settings: Settings) -> None:
    class WithOneMore:
        urlpatterns = [*get_resolver().url_patterns, path("leak/", views.healthz, name="leak")]

    settings.ROOT_URLCONF = WithOneMore
    assert without_a_row() == {"leak"}


def test_a_view_that_forgets_whose_rows_they_are_is_found(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "practice:desk-appointment"
    (row,) = ROWS[name]
    assert answered(cast, ROUTES[name], row, "theo", "GET") == []
    monkeypatch.setattr(AppointmentQuerySet, "visible_to", lambda rows, _actor: rows)
    found = "\n".join(answered(cast, ROUTES[name], row, "theo", "GET"))
    address = f"theo GET /desk/appointments/{cast.appointments['R'].pk}/: 200"
    assert f"{address}, not 404, of R" in found
    assert f"{address}: name of rosa" in found


def test_a_page_that_tells_more_than_an_absent_one_is_found(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same status, and one word more where there is something to be forbidden."""
    name = "practice:desk-appointment"
    (row,) = ROWS[name]
    found = diary.appointment

    def tell(actor: Actor, pk: uuid.UUID) -> Appointment | None:
        if found(actor, pk) is None and Appointment.objects.filter(pk=pk).exists():
            raise Http404("Not yours.")
        return found(actor, pk)

    monkeypatch.setattr(diary, "appointment", tell)
    monkeypatch.setattr(urls, "handler404", "tests.test_matrix.not_found")
    clear_url_caches()
    told = answered(cast, ROUTES[name], row, "theo", "GET")
    assert any("forbidden isn't as absent" in fault for fault in told)


def not_found(_request: HttpRequest, exception: Exception) -> HttpResponse:
    """Says why."""
    return HttpResponse(str(exception), status=404)


def test_a_page_that_writes_when_it_is_looked_at_is_found(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(*_: object) -> list[object]:
        Appointment.objects.update(overbooked=False)
        return []

    monkeypatch.setattr(diary, "trouble", write)
    (fault,) = wrote(ask(cast, "sam", "GET", "/desk/"))
    assert "wrote ['duet_practice_appointment']" in fault


# --- the rules in words --------------------------------------------------------------------------


def standing(caller: str, case: str) -> Standing:
    """How a member of the cast stands to a case, said by hand."""
    if caller == "nora" and case == "R":
        return Standing.NAMED
    if caller == "gus" and case == "A":
        return Standing.GLASS
    if caller == "uma" and case in canaries.OPENS["uma"]:
        return Standing.OVERSEES
    return Standing.CARES if case in canaries.OPENS.get(caller, "") else Standing.NOBODY


def seen_rows(cast: Cast, kind: permissions.Kind, actor: Actor, case: str) -> set[bool]:
    """Whether an actor sees the rows of a kind that belong to the last person of a case."""
    who = canaries.CASES[case][-1]
    model = next(one for one in apps.get_models() if one._meta.model_name == kind.name)
    of_person = {"person": cast.persons[who], "case": cast.cases[case]}
    sent = {"assignment__intake": cast.intakes[who], "sent_at__isnull": False}
    rows: dict[str, Any] = {
        "agreement": of_person,
        "assignment": {"intake": cast.intakes[who]},
        "flag": of_person | {"escalated_at__isnull": kind.part == ""},
        "instrument": {},
        "intake": of_person,
        "release": {"case": cast.cases[case]},
        "response": sent
        | {"guarded": kind.part == "guarded"}
        | ({"audience": kind.audience} if kind.audience else {}),
        "review": {"case": cast.cases[case]},
        "appointment": {"pk": cast.appointments[case].pk},
        "attendance": {"pk": cast.attendances[who].pk},
        "answer": {"attendance": cast.attendances[who], "audience": kind.audience},
        "case": {"pk": cast.cases[case].pk},
        "couple": {"case": cast.cases[case]},
        "datarequest": {"person": cast.persons[who]},
        "message": {"person": cast.persons[who]},
        "person": {"pk": cast.persons[who].pk},
    }
    of_case = model._default_manager.filter(**rows[kind.name])
    seen = set(model._default_manager.visible_to(actor).values_list("pk", flat=True))  # type: ignore[attr-defined]
    return {pk in seen for pk in of_case.values_list("pk", flat=True)}


@pytest.mark.parametrize("kind", permissions.kinds(), ids=lambda kind: f"{kind.name} {kind.part}")
def test_the_rules_in_words_say_what_the_queries_say(cast: Cast, kind: permissions.Kind) -> None:
    if kind.part == "contact":
        return  # a part of a page: the walk looks for it
    compared = 0
    for caller, case in product(cast.members, CASES):
        actor = people.actor_of(cast.members[caller].user)
        rights = frozenset(right for right in Right if can(actor, right))
        wanted = kind.seen(standing(caller, case), rights, restricted=case == "R")
        found = seen_rows(cast, kind, actor, case)
        assert found <= {wanted}, (caller, case)
        compared += len(found)
    for who, proof, stands in (
        ("ben", PROOF_LINK, Standing.OWN_LINK),
        ("ben", PROOF_SECOND, Standing.OWN_PROVED),
        ("ana", PROOF_SECOND, Standing.PARTNER),
    ):
        actor = Actor.of_person(cast.persons[who].pk, proof)
        # The appointment is Ana's, too: of the couple's rows it is her own that she sees.
        if stands is Standing.PARTNER and kind.name == "appointment":
            stands = Standing.OWN_PROVED
        wanted = kind.seen(stands, frozenset(), restricted=False)
        found = seen_rows(cast, kind, actor, "A")
        assert found <= {wanted}, (who, stands)
        compared += len(found)
    assert compared > len(cast.members), "there was something to compare"


def test_the_rules_in_words_know_whose_diary_it_is(cast: Cast) -> None:
    kinds = {kind.name: kind for kind in permissions.kinds() if kind.part == ""}
    Case.objects.filter(pk=cast.cases["R"].pk).update(counselor=None)
    iris = people.actor_of(cast.members["iris"].user)
    rights = frozenset({Right.BREAK_GLASS})
    for name in ("appointment", "attendance", "case", "couple", "person"):
        wanted = kinds[name].seen(Standing.DIARY, rights, restricted=True)
        assert seen_rows(cast, kinds[name], iris, "R") == {wanted}, name
