"""Links are used once, PINs tried five times, and an answer of a passkey counts once."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model, hashers
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from clients import passkeys
from clients.actions import access
from clients.actions.access import LinkOver, Opened, SessionOver, Tried
from clients.models import (
    CareRelation,
    Case,
    ClientPasskey,
    ClientPin,
    ClientSession,
    CoupleMember,
    DataRequest,
    Member,
    Notice,
    Person,
    SignInLink,
)
from clients.passkeys import PasskeyRefused
from clients.queries import access as queries
from clients.rules import access as rules
from clients.rules.actors import PROOF_LINK, PROOF_SECOND, Actor
from clients.rules.permissions import NotPermitted
from tests import factories as make
from tests.clients.authenticator import Authenticator
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PIN, OTHER, WRONG = "271828", "314159", "161803"


@pytest.fixture
def ana(db: None) -> Person:
    return make.ana()


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    settings.DUET = settings.DUET | {"BASE_URL": "http://localhost:8000"}


def link_for(person: Person) -> str:
    access.send_links(persons=[person], by=make.SYSTEM, now=NOW)
    token: str = SignInLink.objects.select_related("person__key").get(used_at=None).token
    return token


def use(token: str, **changes: Any) -> Opened:
    values = {"browser": "", "instead_of": None, "by": Actor.visitor(), "now": NOW} | changes
    return access.use_link(token=token, **values)


def signed_in(person: Person) -> ClientSession:
    return use(link_for(person)).session


def of(session: ClientSession) -> dict[str, Any]:
    return {"session": session, "by": Actor.of_person(session.person_id), "now": NOW}


def code_for(person: Person) -> str:
    return access.give_code(person=person, by=make.SYSTEM, now=NOW)


def proved(person: Person) -> ClientSession:
    session = signed_in(person)
    tried = access.set_pin_with_code(code=code_for(person), pin=PIN, **of(session))
    assert tried.opened is not None
    return tried.opened.session


def pin_row(person: Person) -> ClientPin:
    return ClientPin.objects.select_related("person__key").get(person=person)


# --- who of the practice gives codes and ends sessions --------------------------------------------


def relate(case: Case, member: Member, kind: str) -> None:
    CareRelation.objects.create(case=case, member=member, kind=kind, since_at=NOW)


def may_keep(member: Member, person: Person) -> bool:
    """Whether both actions let the member; they never disagree."""
    by, found = member.as_actor(), []
    for act in (access.give_code, access.end_all):
        try:
            act(person=person, by=by, now=NOW)
        except NotPermitted:
            found.append(False)
        else:
            found.append(True)
    assert len(set(found)) == 1
    return found[0]


def test_who_answers_or_counsels_gives_a_code_and_ends_sessions(ana: Person) -> None:
    iris, theo = make.counselor("iris").member, make.counselor("theo").member
    uma, rita, sam = make.supervisor(), make.reviewer(), make.front_desk()
    case = make.case(ana, make.ben(), counselor=iris)
    relate(case, uma, "supervisor")
    assert [may_keep(one, ana) for one in (iris, theo, uma, rita, sam)] == [
        True,
        False,
        False,
        False,
        True,
    ]
    relate(case, theo, "co_counselor")
    assert may_keep(theo, ana)
    CareRelation.objects.filter(member=theo).update(ended_at=NOW)
    assert not may_keep(theo, ana)
    Case.objects.update(state=Case.State.CLOSED, closed_at=NOW)
    assert not may_keep(iris, ana)
    assert may_keep(sam, ana)


def test_who_left_the_couple_is_no_client_of_its_counselor(ana: Person) -> None:
    iris, olive = make.counselor("iris").member, make.admin()
    make.case(ana, make.ben(), counselor=iris)
    CoupleMember.objects.filter(person=ana).update(left_at=NOW)
    assert not may_keep(iris, ana)
    assert may_keep(iris, Person.objects.exclude(pk=ana.pk).get())
    assert may_keep(olive, ana)


def test_neither_the_broken_glass_nor_a_person_gives_a_code(ana: Person) -> None:
    theo = make.counselor("theo").member
    case = make.case(ana, counselor=make.counselor("iris"))
    Case.objects.update(restricted_at=NOW)
    looks_on = make.admin().as_actor([case.pk])
    for by in (looks_on, theo.as_actor([case.pk]), Actor.of_person(ana.pk), Actor.visitor()):
        with pytest.raises(NotPermitted):
            access.give_code(person=ana, by=by, now=NOW)
    other = make.ben()
    for by in (looks_on, Actor.of_person(other.pk, PROOF_SECOND), Actor.visitor()):
        with pytest.raises(NotPermitted):
            access.end_all(person=ana, by=by, now=NOW)
    assert access.end_all(person=ana, by=Actor.of_person(ana.pk), now=NOW) == 0


# --- links ---------------------------------------------------------------------------------------


def test_a_link_opens_one_session_with_little_proof(ana: Person) -> None:
    token = link_for(ana)
    opened = use(token, browser="Firefox, Linux")
    session = queries.session(rules.token_hash(opened.token), NOW)
    assert session is not None
    assert (session.person_id, session.proof, session.browser) == (
        ana.pk,
        PROOF_LINK,
        "Firefox, Linux",
    )
    assert session.ends_at == NOW + timedelta(hours=12)
    with pytest.raises(LinkOver):
        use(token)


def test_a_link_ends_after_ten_minutes(ana: Person) -> None:
    token = link_for(ana)
    with pytest.raises(LinkOver):
        use(token, now=NOW + timedelta(minutes=10))
    use(token, now=NOW + timedelta(minutes=9, seconds=59))


def test_tokens_are_stored_as_hashes_and_sealed(ana: Person) -> None:
    token = link_for(ana)
    opened = use(token)
    with connection.cursor() as cursor:
        cursor.execute("SELECT l::text FROM duet_clients_signinlink l")
        stored = str(cursor.fetchone())
        cursor.execute("SELECT s::text FROM duet_clients_clientsession s")
        stored += str(cursor.fetchone())
    for secret in (token, opened.token):
        assert secret not in stored
        assert secret.encode().hex() not in stored
    assert len(token) >= 22  # 128 bits


def test_ending_all_ends_waiting_links_too(ana: Person) -> None:
    session, token = signed_in(ana), link_for(ana)
    assert access.end_all(person=ana, by=make.SYSTEM, now=NOW) == 1
    with pytest.raises(LinkOver):
        use(token)
    with pytest.raises(SessionOver):
        access._raised(session, NOW)


def at_once(act: Callable[[], Any], threads: int) -> list[Any]:
    """What each of so many threads got, started at one moment: a result, or the refusal."""
    barrier, found = threading.Barrier(threads), []

    def run() -> None:
        barrier.wait()
        try:
            found.append(act())
        except Exception as refused:
            found.append(refused)
        finally:
            connection.close()

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return found


def looked_then_marked(token_hash: bytes, now: Any) -> SignInLink:
    """As somebody might write it: read, then mark."""
    found = queries.link(token_hash, now)
    if found is None:
        raise LinkOver
    _all_have_looked.wait()
    found.used_at = now
    found.save(update_fields=["used_at"])
    return found


_all_have_looked = threading.Barrier(2, timeout=5)


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_of_twenty_who_use_a_link_at_once_one_gets_in() -> None:
    token = link_for(make.ana())
    found = at_once(lambda: use(token), 20)
    assert sum(isinstance(one, Opened) for one in found) == 1
    assert sum(isinstance(one, LinkOver) for one in found) == 19
    assert ClientSession.objects.count() == 1


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_control_without_the_one_statement_two_get_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "_use_up", looked_then_marked)
    token = link_for(make.ana())
    found = at_once(lambda: use(token), 2)
    assert sum(isinstance(one, Opened) for one in found) == 2


# --- PIN and code --------------------------------------------------------------------------------


def test_a_code_sets_the_first_pin_and_the_pin_proves(ana: Person) -> None:
    session = proved(ana)
    assert session.proof == PROOF_SECOND
    row = pin_row(ana)
    assert (row.tries, row.code, row.code_ends_at) == (0, None, None)
    tried = access.prove_with_pin(pin=PIN, **of(signed_in(ana)))
    assert tried.opened is not None
    assert tried.opened.session.proof == PROOF_SECOND


def test_without_a_code_nobody_sets_a_pin(ana: Person) -> None:
    """Whoever merely reads the mailbox has a link, and no more."""
    for code in ("00000000", "12345678", ""):
        tried = access.set_pin_with_code(code=code, pin=PIN, **of(signed_in(ana)))
        assert tried.opened is None
    assert pin_row(ana).pin is None
    assert access.prove_with_pin(pin=PIN, **of(signed_in(ana))).opened is None


def test_a_code_is_good_once_for_a_day_and_for_one_person(ana: Person) -> None:
    code = code_for(ana)
    other = signed_in(make.ben())
    assert access.set_pin_with_code(code=code, pin=PIN, **of(other)).opened is None
    late = of(signed_in(ana)) | {"now": NOW + timedelta(hours=24)}
    assert access.set_pin_with_code(code=code, pin=PIN, **late).opened is None
    in_time = of(signed_in(ana)) | {"now": NOW + timedelta(hours=23, minutes=59)}
    assert access.set_pin_with_code(code=code, pin=PIN, **in_time).opened is not None
    assert access.set_pin_with_code(code=code, pin=OTHER, **of(signed_in(ana))).opened is None


def test_a_new_code_makes_the_one_before_void(ana: Person) -> None:
    first, second = code_for(ana), code_for(ana)
    session = signed_in(ana)
    if first != second:
        assert access.set_pin_with_code(code=first, pin=PIN, **of(session)).opened is None
    assert access.set_pin_with_code(code=second, pin=PIN, **of(session)).opened is not None


def test_five_wrong_codes_make_the_code_void(ana: Person) -> None:
    code, session = code_for(ana), signed_in(ana)
    wrong = "0" * 8 if code != "0" * 8 else "1" * 8
    tries = [access.set_pin_with_code(code=wrong, pin=PIN, **of(session)) for _ in range(5)]
    assert [one.locked for one in tries] == [False] * 4 + [True]
    tried = access.set_pin_with_code(code=code, pin=PIN, **of(session))
    assert tried == Tried(None, locked=True)
    assert access.set_pin_with_code(code=code_for(ana), pin=PIN, **of(session)).opened


def test_five_wrong_pins_lock_it_until_a_code_comes(ana: Person) -> None:
    proved(ana)
    session = signed_in(ana)
    tries = [access.prove_with_pin(pin=WRONG, **of(session)) for _ in range(5)]
    assert [one.locked for one in tries] == [False] * 4 + [True]
    assert access.prove_with_pin(pin=PIN, **of(session)) == Tried(None, locked=True)
    later = of(session) | {"now": NOW + timedelta(days=400)}
    assert access.prove_with_pin(pin=PIN, **later) == Tried(None, locked=True)
    unlocked = access.set_pin_with_code(code=code_for(ana), pin=OTHER, **of(session))
    assert unlocked.opened is not None
    assert access.prove_with_pin(pin=OTHER, **of(unlocked.opened.session)).opened is not None


def test_the_right_pin_forgives_the_wrong_ones_before(ana: Person) -> None:
    session = proved(ana)
    for _ in range(3):
        for _ in range(4):
            assert access.prove_with_pin(pin=WRONG, **of(session)).opened is None
        tried = access.prove_with_pin(pin=PIN, **of(session))
        assert tried.opened is not None
        session = tried.opened.session


def test_a_pin_that_is_not_set_answers_as_one_that_is(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    proved(ana)
    ben = make.ben()
    hashed: list[str] = []
    encode = hashers.MD5PasswordHasher.encode

    def counted(self: Any, password: str, salt: str) -> str:
        hashed.append("one")
        return encode(self, password, salt)

    monkeypatch.setattr(hashers.MD5PasswordHasher, "encode", counted)
    seen = []
    for session in (signed_in(ana), signed_in(ben)):
        answers = []
        for _ in range(7):
            hashed.clear()
            answers.append((access.prove_with_pin(pin=WRONG, **of(session)), len(hashed)))
        seen.append(answers)
    assert seen[0] == seen[1]
    assert {work for _, work in seen[0]} == {1}


def test_a_pin_is_changed_with_the_one_so_far_alone(ana: Person) -> None:
    session = proved(ana)
    assert access.change_pin(current=WRONG, pin=OTHER, **of(session)).opened is None
    assert pin_row(ana).tries == 1
    changed = access.change_pin(current=PIN, pin=OTHER, **of(session))
    assert changed.opened is not None
    assert access.prove_with_pin(pin=PIN, **of(changed.opened.session)).opened is None
    access.remove_pin(**of(changed.opened.session))
    assert access.prove_with_pin(pin=OTHER, **of(signed_in(ana))).opened is None


def test_a_new_pin_ends_every_other_session(ana: Person) -> None:
    elsewhere, here = signed_in(ana), signed_in(ana)
    access.set_pin_with_code(code=code_for(ana), pin=PIN, **of(here))
    open_ones = ClientSession.objects.filter(ended_at=None)
    assert open_ones.count() == 1
    assert not open_ones.filter(pk__in=[elsewhere.pk, here.pk]).exists()


def test_to_take_a_proof_away_ends_the_other_proved_sessions(ana: Person) -> None:
    other, by_link = proved(ana), signed_in(ana)
    tried = access.prove_with_pin(pin=PIN, **of(signed_in(ana)))
    assert tried.opened is not None
    own = tried.opened.session
    access.remove_pin(**of(own))
    assert open_of(ana) == {own.pk, by_link.pk}
    assert other.pk not in open_of(ana)

    device = Authenticator()
    own = with_passkey(own, device)
    ClientSession.objects.filter(pk=by_link.pk).update(proof=PROOF_SECOND)
    third = signed_in(ana)
    access.remove_passkey(passkey=ClientPasskey.objects.get(), **of(own))
    assert open_of(ana) == {own.pk, third.pk}


def open_of(person: Person) -> set[Any]:
    return {one.pk for one in queries.sessions(person.pk, NOW)}


def test_proving_changes_the_token_and_prolongs_nothing(ana: Person) -> None:
    proved(ana)
    opened = use(link_for(ana))
    later = NOW + timedelta(minutes=10)
    tried = access.prove_with_pin(pin=PIN, **(of(opened.session) | {"now": later}))
    assert tried.opened is not None
    assert tried.opened.session.ends_at == opened.session.ends_at
    assert queries.session(rules.token_hash(opened.token), later) is None
    assert queries.session(rules.token_hash(tried.opened.token), later) is not None


def test_pin_and_code_lie_in_the_database_sealed(ana: Person) -> None:
    proved(ana)
    code_for(ana)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pin, code FROM duet_clients_clientpin")
        for value in cursor.fetchone():
            assert b"md5$" not in bytes(value)
    assert str(pin_row(ana).pin).startswith("md5$")


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The PINs that were tried while tries were left: those that could have been right."""
    tried: list[str] = []
    is_pin = access._is_pin

    def noted(row: ClientPin, pin: str) -> bool:
        if row.tries < rules.TRIES:
            tried.append(pin)
        return is_pin(row, pin)

    monkeypatch.setattr(access, "_is_pin", noted)
    return tried


def guesses(session: ClientSession, number: int) -> list[Any]:
    return at_once(lambda: access.prove_with_pin(pin=WRONG, **of(session)), number)


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_of_twenty_guesses_at_once_five_are_looked_at(compared: list[str]) -> None:
    ana = make.ana()
    proved(ana)
    compared.clear()
    found = guesses(signed_in(ana), 20)
    assert all(isinstance(one, Tried) for one in found), found
    assert len(compared) == 5
    assert sum(one.locked for one in found) == 16
    assert pin_row(ana).tries == 5


@pytest.mark.races
@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_more_are_looked_at(
    compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = make.ana()
    proved(ana)
    session = signed_in(ana)
    compared.clear()
    all_read = threading.Barrier(8, timeout=5)

    def unlocked(self: QuerySet[Any], **_given: Any) -> QuerySet[Any]:
        return self

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)
    is_pin = access._is_pin

    def after_all_have_read(row: ClientPin, pin: str) -> bool:
        all_read.wait()
        return is_pin(row, pin)

    monkeypatch.setattr(access, "_is_pin", after_all_have_read)
    guesses(session, 8)
    assert len(compared) == 8


# --- passkeys ------------------------------------------------------------------------------------


def ask_for_passkey(session: ClientSession) -> passkeys.Asked:
    return passkeys.to_register(
        person_id=session.person_id, known=[], shown_as="Elm Street", made_for=session.pk
    )


def with_passkey(session: ClientSession, device: Authenticator) -> ClientSession:
    asked = ask_for_passkey(session)
    answer = device.create(asked.options)
    return access.add_passkey(answer=answer, note=asked.note, name="phone", **of(session)).session


def test_a_passkey_proves_and_signs_in(ana: Person) -> None:
    device = Authenticator()
    with_passkey(proved(ana), device)
    session = signed_in(ana)
    asked = passkeys.to_prove(made_for=session.pk)
    opened = access.prove_with_passkey(
        answer=device.get(asked.options), note=asked.note, **of(session)
    )
    assert opened.session.proof == PROOF_SECOND
    asked = passkeys.to_prove()
    opened = sign_in(device.get(asked.options), asked.note)
    assert (opened.session.person_id, opened.session.proof) == (ana.pk, PROOF_SECOND)


def sign_in(answer: str, note: str) -> Opened:
    return access.sign_in_with_passkey(
        answer=answer, note=note, browser="", instead_of=None, by=Actor.visitor(), now=NOW
    )


def test_an_answer_is_good_once(ana: Person) -> None:
    device = Authenticator()
    registering = proved(ana)
    asked = ask_for_passkey(registering)
    made = device.create(asked.options)
    kept = access.add_passkey(answer=made, note=asked.note, name="phone", **of(registering))
    for session in (registering, kept.session):
        with pytest.raises((PasskeyRefused, SessionOver)):
            access.add_passkey(answer=made, note=asked.note, name="again", **of(session))
    session = signed_in(ana)
    asked = passkeys.to_prove(made_for=session.pk)
    answer = device.get(asked.options)
    raised = access.prove_with_passkey(answer=answer, note=asked.note, **of(session))
    for again in (session, raised.session, signed_in(ana)):
        with pytest.raises((PasskeyRefused, SessionOver)):
            access.prove_with_passkey(answer=answer, note=asked.note, **of(again))
    asked = passkeys.to_prove()
    answer = device.get(asked.options)
    sign_in(answer, asked.note)
    with pytest.raises(PasskeyRefused):
        sign_in(answer, asked.note)
    assert ClientPasskey.objects.count() == 1


@pytest.mark.parametrize(
    "device",
    [
        Authenticator(origin="https://evil.example.org"),
        Authenticator(origin="http://localhost:8001"),
        Authenticator(rp_id="evil.example.org"),
        Authenticator(verified=False),
    ],
    ids=["origin", "port", "rp", "unlocked by nobody"],
)
def test_another_site_or_an_unverified_device_is_refused(
    ana: Person, device: Authenticator
) -> None:
    session = proved(ana)
    asked = ask_for_passkey(session)
    with pytest.raises(PasskeyRefused):
        access.add_passkey(
            answer=device.create(asked.options), note=asked.note, name="x", **of(session)
        )
    good = Authenticator(key=device.key, credential_id=device.credential_id)
    with_passkey(session, good)
    device.owner = good.owner
    asked = passkeys.to_prove()
    with pytest.raises(PasskeyRefused):
        sign_in(device.get(asked.options), asked.note)


def test_somebody_elses_passkey_and_a_removed_one_prove_nothing(ana: Person) -> None:
    device, ben = Authenticator(), make.ben()
    with_passkey(proved(ben), device)
    session = signed_in(ana)
    asked = passkeys.to_prove(made_for=session.pk)
    with pytest.raises(PasskeyRefused):
        access.prove_with_passkey(answer=device.get(asked.options), note=asked.note, **of(session))
    # One that says it were Ana's.
    device.owner = ana.pk.bytes
    asked = passkeys.to_prove()
    with pytest.raises(PasskeyRefused):
        sign_in(device.get(asked.options), asked.note)
    device.owner = ben.pk.bytes
    bens = signed_in(ben)
    access.remove_passkey(passkey=ClientPasskey.objects.get(), **of(bens))
    with pytest.raises(PasskeyRefused):
        sign_in(device.get(asked.options), asked.note)


def test_a_copied_passkey_that_counts_behind_is_refused(ana: Person) -> None:
    device = Authenticator(counter=7)
    with_passkey(proved(ana), device)
    asked = passkeys.to_prove()
    sign_in(device.get(asked.options), asked.note)
    device.counter = 6
    asked = passkeys.to_prove()
    with pytest.raises(PasskeyRefused):
        sign_in(device.get(asked.options), asked.note)


@pytest.mark.parametrize(
    "answer",
    [
        *("", "{}", "[]", "null", "\x00", "{" * 9_000, '{"rawId": 1}', "x" * 20_000),
        '{"id":"AA","rawId":"AA","type":"public-key","response":{}}',
    ],
)
def test_what_is_no_answer_is_refused(ana: Person, answer: str) -> None:
    session = proved(ana)
    asked = ask_for_passkey(session)
    with pytest.raises(PasskeyRefused):
        access.add_passkey(answer=answer, note=asked.note, name="x", **of(session))
    asked = passkeys.to_prove()
    with pytest.raises(PasskeyRefused):
        sign_in(answer, asked.note)


def test_a_note_is_bound_to_its_use_its_session_and_five_minutes(
    ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Authenticator()
    session = with_passkey(proved(ana), device)
    for asked in (passkeys.to_prove(), ask_for_passkey(session)):
        with pytest.raises(PasskeyRefused):
            access.prove_with_passkey(
                answer=device.get(asked.options), note=asked.note, **of(session)
            )
    asked = passkeys.to_prove()
    answer = device.get(asked.options)
    for note in ("", "x", asked.note[:-1], asked.note + "x"):
        with pytest.raises(PasskeyRefused):
            sign_in(answer, note)
    monkeypatch.setattr(rules, "CHALLENGE_LASTS", timedelta(seconds=-1))
    with pytest.raises(PasskeyRefused):
        sign_in(answer, asked.note)


def test_a_person_has_ten_passkeys_at_most(ana: Person) -> None:
    session = proved(ana)
    for _ in range(10):
        session = with_passkey(session, Authenticator())
    with pytest.raises(PasskeyRefused):
        with_passkey(session, Authenticator())


# --- the record ----------------------------------------------------------------------------------


def test_one_request_of_a_kind_is_open_at_a_time(ana: Person) -> None:
    kind = DataRequest.Kind.COPY
    first = access.ask_about_record(person=ana, kind=kind, by=make.SYSTEM, now=NOW)
    again = access.ask_about_record(person=ana, kind=kind, by=make.SYSTEM, now=NOW)
    assert first.pk == again.pk
    other = access.ask_about_record(
        person=ana, kind=DataRequest.Kind.ERASURE, by=make.SYSTEM, now=NOW
    )
    assert other.pk != first.pk


def test_a_request_is_told_to_whoever_answers_it(ana: Person) -> None:
    iris, sam = make.counselor("iris").member, make.front_desk()
    make.reviewer()
    case = make.case(ana, counselor=iris)
    for kind, told in ((DataRequest.Kind.COPY, sam), (DataRequest.Kind.ERASURE, iris)):
        access.ask_about_record(person=ana, kind=kind, by=make.SYSTEM, now=NOW)
        row = DataRequest.objects.get(kind=kind)
        assert Notice.objects.get(subject_id=row.pk).member == told
        # The desk may not even know of whoever is restricted.
        case.restricted_at = NOW
        case.save()


def shut_out(member: Member) -> None:
    get_user_model().objects.filter(pk=member.user_id).update(is_active=False)


def answering(person: Person) -> set[str]:
    return {one.name for one in queries.who_answers(person)}


def test_somebody_is_always_told_of_what_a_restricted_client_asks(ana: Person) -> None:
    iris, uma = make.counselor("iris").member, make.supervisor()
    theo, olive = make.counselor("theo").member, make.admin()
    make.front_desk()
    case = make.case(ana, make.ben(), counselor=iris)
    relate(case, uma, "supervisor")
    assert answering(ana) == {"Sam", "Olive"}
    Case.objects.update(restricted_at=NOW)
    assert answering(ana) == {"Iris"}
    shut_out(iris)
    assert answering(ana) == {"Uma"}
    relate(case, theo, "named")
    shut_out(uma)
    assert answering(ana) == {"Theo"}
    CareRelation.objects.update(ended_at=NOW)
    assert answering(ana) == {"Olive"}
    shut_out(olive)
    assert answering(ana) == set()


def test_of_who_left_a_restricted_couple_its_counselor_is_not_told(ana: Person) -> None:
    make.case(ana, make.ben(), counselor=make.counselor("iris"))
    make.admin()
    Case.objects.update(restricted_at=NOW)
    CoupleMember.objects.filter(person=ana).update(left_at=NOW)
    assert answering(ana) == {"Olive"}


def test_who_answers_takes_as_many_statements_for_many_members_as_for_one(ana: Person) -> None:
    make.case(ana, counselor=make.counselor("iris"))
    make.front_desk()
    counted = []
    for number in range(3):
        make.front_desk(f"desk{number}")
        with CaptureQueriesContext(connection) as asked:
            assert len(queries.who_answers(ana)) == number + 2
        counted.append(len(asked))
    assert counted == [2, 2, 2]
