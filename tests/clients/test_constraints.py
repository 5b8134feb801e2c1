"""What PostgreSQL refuses to store of keys, persons, couples and cases, whoever writes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from clients.models import (
    BlindIndex,
    BreakGlass,
    CareRelation,
    Case,
    ClientPin,
    ClientSession,
    Couple,
    CoupleMember,
    DataKey,
    DataRequest,
    Notice,
    SafeContact,
    SignInLink,
)
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

# The ledger's own constraints are tested with the ledger.
ELSEWHERE = {
    *("duet_message_once", "duet_message_sent_pair", "duet_message_window"),
    "duet_message_said_why",
}


def _datakey_both() -> None:
    DataKey.objects.filter(pk=factories.ana().key_id).update(destroyed_at=NOW)


def _datakey_neither() -> None:
    DataKey.objects.filter(pk=factories.ana().key_id).update(wrapped=None)


def _second_index_key() -> None:
    factories.ana()
    DataKey.objects.create(purpose="index", kek_id="x", wrapped=b"x", created_at=NOW)


def _same_fingerprint_twice() -> None:
    row = BlindIndex.objects.filter(person=factories.ana()).first()
    assert row is not None
    BlindIndex.objects.create(person=row.person, kind=row.kind, digest=row.digest)


def _second_word_on_a_channel() -> None:
    SafeContact.objects.create(person=factories.ana(), channel="email", asked_at=NOW)


def _contact(**changes: object) -> None:
    SafeContact.objects.filter(person=factories.ana(), channel="email").update(**changes)


def _couple_case() -> Case:
    return factories.case(factories.ana(), factories.ben())


def _member() -> CoupleMember:
    return CoupleMember.objects.filter(couple=_couple_case().couple).order_by("voice")[0]


def _in_a_couple_twice() -> None:
    member = _member()
    CoupleMember.objects.create(couple=member.couple, person=member.person, voice=2, joined_at=NOW)


def _two_with_one_voice() -> None:
    member = _member()
    CoupleMember.objects.create(
        couple=member.couple, person=factories.chris(), voice=member.voice, joined_at=NOW
    )


def _left_before_joining() -> None:
    CoupleMember.objects.filter(pk=_member().pk).update(left_at=NOW - timedelta(seconds=1))


def _case_of_both() -> None:
    Case.objects.filter(pk=_couple_case().pk).update(person=factories.chris())


def _case_of_nobody() -> None:
    Case.objects.filter(pk=_couple_case().pk).update(couple=None)


def _second_case_of_a_couple() -> None:
    Case.objects.create(couple=_couple_case().couple, opened_at=NOW)


def _closed_without_a_moment() -> None:
    Case.objects.filter(pk=_couple_case().pk).update(state="closed")


def _a_moment_without_closing() -> None:
    Case.objects.filter(pk=_couple_case().pk).update(closed_at=NOW)


def _second_audit_key() -> None:
    for _ in range(2):
        DataKey.objects.create(purpose="audit", kek_id="x", wrapped=b"x", created_at=NOW)


def _relation(**changes: object) -> None:
    care = {"case": _couple_case(), "member": factories.supervisor(), "kind": "supervisor"}
    CareRelation.objects.create(**{**care, "since_at": NOW, **changes})
    CareRelation.objects.create(**{**care, "since_at": NOW})


def _glass(minutes: int) -> None:
    BreakGlass.objects.create(
        case=_couple_case(),
        member=factories.admin(),
        reason="She called us.",
        opened_at=NOW,
        ends_at=NOW + timedelta(minutes=minutes),
    )


def _link_without_a_moment() -> None:
    SignInLink.objects.create(
        person=factories.ana(), token_hash=b"x", token="x", made_at=NOW, ends_at=NOW
    )


def _session(**changes: object) -> None:
    made = {"proof": 1, "opened_at": NOW, "seen_at": NOW, "ends_at": NOW + timedelta(hours=1)}
    ClientSession.objects.create(person=factories.ana(), token_hash=b"x", **{**made, **changes})


def _pin(**values: object) -> None:
    ClientPin.objects.create(person=factories.ana(), **values)


def _two_requests() -> None:
    ana = factories.ana()
    for _ in range(2):
        DataRequest.objects.create(person=ana, kind="copy", asked_at=NOW)


def _request(**values: object) -> None:
    DataRequest.objects.create(person=factories.ana(), kind="copy", asked_at=NOW, **values)


def _notice_twice() -> None:
    member, case = factories.admin(), _couple_case()
    for _ in range(2):
        Notice.objects.create(
            member=member, kind="glass_broken", subject_kind="case", subject_id=case.pk, made_at=NOW
        )


BREACHES: list[tuple[str, Callable[[], None]]] = [
    ("duet_key_wrapped_or_destroyed", _datakey_both),
    ("duet_key_wrapped_or_destroyed", _datakey_neither),
    ("duet_key_one_index", _second_index_key),
    ("duet_key_one_audit", _second_audit_key),
    ("duet_carerelation_once", _relation),
    (
        "duet_carerelation_ends_after_its_begin",
        lambda: _relation(ended_at=NOW - timedelta(seconds=1)),
    ),
    ("duet_breakglass_an_hour_at_most", lambda: _glass(61)),
    ("duet_breakglass_an_hour_at_most", lambda: _glass(-1)),
    ("duet_signinlink_ends", _link_without_a_moment),
    ("duet_clientsession_proof", lambda: _session(proof=3)),
    ("duet_clientsession_ends", lambda: _session(ends_at=NOW)),
    ("duet_clientpin_tries", lambda: _pin(tries=6)),
    ("duet_clientpin_tries", lambda: _pin(code_tries=6)),
    ("duet_clientpin_pairs", lambda: _pin(pin="a hash")),
    ("duet_clientpin_pairs", lambda: _pin(set_at=NOW)),
    ("duet_clientpin_code_pairs", lambda: _pin(code="a hash")),
    ("duet_clientpin_code_pairs", lambda: _pin(code_ends_at=NOW)),
    ("duet_datarequest_one_open", _two_requests),
    ("duet_datarequest_answered_pair", lambda: _request(answered_at=NOW)),
    ("duet_datarequest_answered_pair", lambda: _request(answer="handed_over")),
    ("duet_notice_once", _notice_twice),
    ("duet_blindindex_once", _same_fingerprint_twice),
    ("duet_safecontact_once", _second_word_on_a_channel),
    ("duet_safecontact_quiet_pair", lambda: _contact(quiet_from=60)),
    ("duet_safecontact_quiet_pair", lambda: _contact(quiet_until=60)),
    ("duet_safecontact_quiet_pair", lambda: _contact(quiet_from=60, quiet_until=60)),
    ("duet_safecontact_quiet_pair", lambda: _contact(quiet_from=60, quiet_until=1440)),
    ("duet_safecontact_quiet_pair", lambda: _contact(quiet_from=1440, quiet_until=60)),
    ("duet_couplemember_once", _in_a_couple_twice),
    ("duet_couplemember_voice", _two_with_one_voice),
    ("duet_couplemember_leaves_after_joining", _left_before_joining),
    ("duet_case_couple_or_person", _case_of_both),
    ("duet_case_couple_or_person", _case_of_nobody),
    ("duet_case_closed_pair", _closed_without_a_moment),
    ("duet_case_closed_pair", _a_moment_without_closing),
]


@pytest.mark.parametrize(("constraint", "breach"), BREACHES)
def test_the_database_refuses(constraint: str, breach: Callable[[], None]) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        breach()


@contextmanager
def _without(constraint: str) -> Iterator[None]:
    """The constraint gone until the test's own transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conrelid::regclass FROM pg_constraint WHERE conname = %s", [constraint]
        )
        found = cursor.fetchone()
        if found:
            cursor.execute(f"ALTER TABLE {found[0]} DROP CONSTRAINT {constraint}")
        else:
            cursor.execute(f"DROP INDEX {constraint}")
    yield


@pytest.mark.parametrize(("constraint", "breach"), BREACHES)
def test_without_its_constraint_the_same_would_be_stored(
    constraint: str, breach: Callable[[], None]
) -> None:
    with _without(constraint):
        breach()


def test_every_constraint_of_people_and_keys_has_a_test() -> None:
    named = {
        constraint.name
        for model in apps.get_app_config("duet_clients").get_models()
        for constraint in model._meta.constraints
    }
    assert named == {constraint for constraint, _ in BREACHES} | ELSEWHERE


def test_a_couple_has_one_case() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        _second_case_of_a_couple()


def test_who_left_may_join_again() -> None:
    member = _member()
    CoupleMember.objects.filter(pk=member.pk).update(left_at=NOW)
    again = CoupleMember.objects.create(
        couple=member.couple, person=member.person, voice=2, joined_at=NOW
    )
    assert again.pk != member.pk


def test_two_persons_make_a_couple_and_one_makes_none() -> None:
    both = _couple_case()
    assert both.couple is not None
    assert both.person is None
    assert [row.voice for row in both.couple.members.order_by("voice")] == [0, 1]
    alone = factories.case(factories.chris())
    assert alone.couple is None
    assert Couple.objects.count() == 1
    assert {both.state, alone.state} == {"enquiry"}
