"""Flags: what raises one, who is told and when again, who sees it, and how one is closed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from clients.models import AuditEntry, CareRelation, Case, Member, Message, Notice, Person
from clients.rules.actors import Actor
from clients.rules.permissions import NotPermitted
from intake.actions import safety
from intake.models import Flag, Instrument, Response
from intake.models.safety import is_in_safe_mode
from intake.queries import safety as queries
from intake.rules import escalation
from intake.rules import flags as rules
from intake.rules.answers import Answered
from practice.models import Counselor
from practice.tasks import escalate_flags
from tests import factories as make
from tests.factories import NOW, SYSTEM

pytestmark = pytest.mark.django_db

CHECK: dict[str, Any] = {
    "id": "private-check",
    "version": "1",
    "language": "en",
    "title": "Private check",
    "visibility": "counselor",
    "scales": {
        "no-yes": {
            "options": [{"code": "no", "label": "No"}, {"code": "yes", "label": "Yes"}],
            "non_answers": [{"code": "skip", "label": "I'd rather not say"}],
        },
        "often": {
            "options": [
                {"code": "never", "label": "Never", "value": 0},
                {"code": "daily", "label": "Daily", "value": 3},
            ]
        },
    },
    "items": [
        {"id": "afraid", "kind": "choice", "scale": "no-yes", "text": "Are you afraid?"},
        {"id": "better-off", "kind": "choice", "scale": "often", "text": "Better off dead?"},
        {"id": "words", "kind": "long_text", "text": "What else?", "max_length": 2000},
    ],
    "staff_flags": [
        {
            "item": "afraid",
            "operator": "=",
            "value": "yes",
            "severity": "high",
            "kind": "individual-first",
        },
        {
            "item": "afraid",
            "operator": "=",
            "value": "skip",
            "severity": "ask",
            "kind": "ask-in-person",
        },
        {
            "item": "better-off",
            "operator": ">",
            "value": 0,
            "severity": "urgent",
            "kind": "self-harm",
            "shows_help": True,
        },
    ],
}
NOTE = "We spoke on the telephone, alone."


@pytest.fixture
def iris() -> Counselor:
    make.practice()
    return make.counselor("iris")


@pytest.fixture
def couple(iris: Counselor) -> Case:
    return make.case(make.ana(), make.ben(), counselor=iris)


@pytest.fixture
def ana(couple: Case) -> Person:
    assert couple.couple is not None
    return couple.couple.members.get(voice=0).person


def relate(case: Case, member: Member, kind: str) -> CareRelation:
    return CareRelation.objects.create(case=case, member=member, kind=kind, since_at=NOW)


def answered(case: Case, person: Person, *, sent: bool = True, **answers: Any) -> Response:
    found = make.intake(case, person)
    form = make.assignment(found, make.instrument(CHECK))
    said = {item.replace("_", "-"): one for item, one in answers.items()}
    return make.response(form, said, sent=sent, guarded=True)


def raised(response: Response, *, sent: bool = True, now: Any = NOW) -> list[Flag]:
    return safety.raise_flags(response=response, sent=sent, by=SYSTEM, now=now)


def told(kind: str = "flag") -> set[str]:
    """Who has such a notice on their desk."""
    rows = Notice.objects.filter(kind=kind, seen_at__isnull=True)
    return set(rows.values_list("member__name", flat=True))


# --- raised --------------------------------------------------------------------------------------


def test_a_positive_answer_raises_one_flag_and_tells_its_clinicians_alone(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    make.admin(), make.front_desk(), make.reviewer()
    relate(couple, make.counselor("carl").member, "co_counselor")
    relate(couple, make.supervisor(), "supervisor")
    response = answered(couple, ana, afraid="yes")
    (flag,) = raised(response)
    assert (flag.kind, flag.severity, flag.person, flag.case) == (
        "individual-first",
        "high",
        ana,
        couple,
    )
    assert raised(response) == []
    assert Flag.objects.count() == 1
    assert told() == {"Iris", "Carl"}
    assert Notice.objects.exclude(kind="flag").count() == 0
    assert is_in_safe_mode(couple)
    # Nobody who isn't of the practice is written to because of it.
    assert not Message.objects.exists()


def test_the_notice_and_the_trail_hold_no_word_of_it(couple: Case, ana: Person) -> None:
    raised(answered(couple, ana, afraid="yes", words="kittiwake"))
    notice = Notice.objects.get()
    assert (notice.kind, notice.subject_kind) == ("flag", "flag")
    entry = AuditEntry.objects.get(verb="flag.raised")
    assert entry.detail == {"severity": "high"}


def test_a_skipped_answer_raises_one_when_it_is_sent_and_not_before(
    couple: Case, ana: Person
) -> None:
    response = answered(couple, ana, afraid=Answered(non="skip", revision=1))
    assert raised(response, sent=False) == []
    (flag,) = raised(response, sent=True)
    assert (flag.kind, flag.severity) == ("ask-in-person", "ask")


def test_thoughts_of_self_harm_raise_an_urgent_one_at_the_moment_they_are_kept(
    couple: Case, ana: Person
) -> None:
    response = answered(couple, ana, sent=False, afraid="yes", better_off="daily")
    (flag,) = raised(response, sent=False)
    assert (flag.kind, flag.severity) == ("self-harm", "urgent")
    # Sent, the other answer follows, and the first isn't raised twice.
    (second,) = raised(response, sent=True)
    assert second.kind == "individual-first"


def test_answers_that_say_nothing_grave_raise_none(couple: Case, ana: Person) -> None:
    assert raised(answered(couple, ana, afraid="no", better_off="never")) == []
    assert not is_in_safe_mode(couple)


def test_what_is_taken_back_before_it_is_sent_leaves_its_flag(couple: Case, ana: Person) -> None:
    response = answered(couple, ana, sent=False, better_off="daily")
    raised(response, sent=False)
    response.answers = '{"better-off": {"v": "never", "r": 2}}'
    response.save(update_fields=["answers"])
    assert raised(response, sent=False) == []
    assert Flag.objects.open().count() == 1


def test_a_flag_that_gets_graver_is_unseen_again(
    couple: Case, ana: Person, iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    response = answered(couple, ana, afraid="yes")
    (flag,) = raised(response)
    safety.see(flag=flag, by=iris.member.as_actor(), now=NOW)
    assert told() == set()
    definition = response.assignment.instrument.parsed
    graver = [
        type(one)(one.item, one.operator, one.value, "urgent", one.kind)
        for one in definition.staff_flags
    ]
    monkeypatch.setattr(rules, "raised", lambda *_, **__: graver[:1])
    assert raised(response, now=NOW + timedelta(hours=1)) == []
    flag.refresh_from_db()
    assert (flag.severity, flag.seen_at) == ("urgent", None)
    assert told() == {"Iris"}


# --- answered anew -------------------------------------------------------------------------------

# Two answers of one kind and severity: only the answer tells that it is graver.
PHQ: dict[str, Any] = CHECK | {
    "id": "phq",
    "scales": {
        "often": {
            "options": [
                {"code": "never", "label": "Never", "value": 0},
                {"code": "some", "label": "Some days", "value": 1},
                {"code": "daily", "label": "Daily", "value": 3},
            ]
        }
    },
    "items": [{"id": "item-9", "kind": "choice", "scale": "often", "text": "Better off dead?"}],
    "staff_flags": [
        {
            "item": "item-9",
            "operator": ">",
            "value": 0,
            "severity": "urgent",
            "kind": "self-harm",
            "shows_help": True,
        }
    ],
}


def of_phq(case: Case, person: Person) -> Response:
    form = make.assignment(make.intake(case, person), make.instrument(PHQ))
    return make.response(form, {"item-9": Answered("some", revision=1)}, sent=False)


def answer_anew(response: Response, value: str, revision: int) -> None:
    response.answers = json.dumps({"item-9": {"v": value, "r": revision}})
    response.save(update_fields=["answers"])


@pytest.mark.parametrize("sent", [False, True], ids=["kept", "sent"])
def test_a_graver_answer_after_it_was_closed_raises_a_new_one(
    couple: Case, ana: Person, iris: Counselor, sent: bool
) -> None:
    response = of_phq(couple, ana)
    (first,) = raised(response, sent=False)
    safety.close(flag=first, note=NOTE, by=iris.member.as_actor(), now=NOW)
    assert told() == set()
    answer_anew(response, "daily", 2)
    (second,) = raised(response, sent=sent, now=NOW + timedelta(hours=1))
    assert second.pk != first.pk
    assert is_in_safe_mode(couple)
    assert told() == {"Iris"}
    # What was closed stays as it was closed.
    first.refresh_from_db()
    assert first.note == NOTE
    # Once: kept or sent again it is the same answer.
    assert raised(response, sent=sent) == []
    safety.close(flag=second, note=NOTE, by=iris.member.as_actor(), now=NOW)
    assert raised(response, sent=True) == []


def test_the_same_answer_raises_none_after_it_was_closed(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    response = of_phq(couple, ana)
    (flag,) = raised(response, sent=False)
    safety.close(flag=flag, note=NOTE, by=iris.member.as_actor(), now=NOW)
    assert raised(response, sent=False) == []
    assert raised(response, sent=True) == []
    assert not is_in_safe_mode(couple)


def test_another_answer_makes_an_open_one_unseen_for_who_had_seen_it(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    response = of_phq(couple, ana)
    (flag,) = raised(response, sent=False)
    answer_anew(response, "daily", 2)
    # Nobody has seen the first: they are told already.
    assert raised(response, sent=False) == []
    assert not AuditEntry.objects.filter(verb="flag.changed").exists()
    safety.see(flag=flag, by=iris.member.as_actor(), now=NOW)
    assert raised(response, sent=True) == []
    assert told() == set()
    answer_anew(response, "some", 3)
    assert raised(response, sent=True, now=NOW + timedelta(hours=1)) == []
    flag.refresh_from_db()
    assert (flag.seen_at, flag.renewed_at) == (None, NOW + timedelta(hours=1))
    assert told() == {"Iris"}


def test_a_newly_urgent_one_goes_further_up_within_the_hour(
    couple: Case, ana: Person, iris: Counselor, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.admin()
    uma = make.supervisor()
    relate(couple, uma, "supervisor")
    response = answered(couple, ana, afraid="yes")
    (flag,) = raised(response)
    assert escalate(NOW + timedelta(hours=4)) == 1
    safety.see(flag=flag, by=iris.member.as_actor(), now=NOW + timedelta(hours=5))
    (one, *_) = response.assignment.instrument.parsed.staff_flags
    urgent = type(one)(one.item, one.operator, one.value, "urgent", one.kind)
    monkeypatch.setattr(rules, "raised", lambda *_, **__: [urgent])
    again = NOW + timedelta(hours=6)
    assert raised(response, now=again) == []
    # Who was told above sees it still, and waits for it no longer than for any urgent one.
    assert Flag.objects.visible_to(uma.as_actor()).get() == flag
    Notice.objects.update(seen_at=again)
    assert escalate(again + timedelta(minutes=59)) == 0
    assert escalate(again + timedelta(hours=1)) == 1
    assert told("flag_escalated") == {"Uma"}
    assert escalate(again + timedelta(hours=24)) == 0
    assert escalate(again + timedelta(hours=25)) == 1


def test_one_that_nobody_saw_comes_no_later_for_being_graver(
    couple: Case, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.admin()
    response = answered(couple, ana, afraid="yes")
    raised(response)
    (one, *_) = response.assignment.instrument.parsed.staff_flags
    urgent = type(one)(one.item, one.operator, one.value, "urgent", one.kind)
    monkeypatch.setattr(rules, "raised", lambda *_, **__: [urgent])
    raised(response, now=NOW + timedelta(minutes=90))
    assert escalate(NOW + timedelta(minutes=90)) == 1


# --- nobody to tell ------------------------------------------------------------------------------


def test_without_a_clinician_supervisors_see_it_and_admins_are_told_to_find_one(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    make.admin(), make.front_desk(), make.reviewer()
    uma = make.supervisor()
    relate(couple, uma, "supervisor")
    iris.member.user.is_active = False
    iris.member.user.save(update_fields=["is_active"])
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    assert told("flag_escalated") == {"Uma"}
    assert told("needs_clinician") == {"Olive"}
    assert told("flag") == set()
    assert list(Flag.objects.visible_to(uma.as_actor())) == [flag]
    # What admins are told names the case, and neither person nor reason.
    assert Notice.objects.get(kind="needs_clinician").subject_id == couple.pk


def test_of_a_restricted_case_those_admins_are_told_who_know_of_it(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    make.admin("olive")
    relate(couple, make.admin("omar"), "named")
    couple.restricted_at, couple.counselor = NOW, None
    couple.save(update_fields=["restricted_at", "counselor"])
    raised(answered(couple, ana, afraid="yes"))
    assert told("needs_clinician") == {"Omar"}


def test_somebody_is_told_even_where_no_admin_may_know_of_the_case(
    couple: Case, ana: Person
) -> None:
    make.admin("olive")
    couple.restricted_at, couple.counselor = NOW, None
    couple.save(update_fields=["restricted_at", "counselor"])
    raised(answered(couple, ana, afraid="yes"))
    assert told("needs_clinician") == {"Olive"}


# --- unseen --------------------------------------------------------------------------------------


def escalate(now: Any) -> int:
    return safety.escalate_due(after=timedelta(hours=4), by=SYSTEM, now=now)


def test_unseen_it_is_told_to_the_cases_supervisors_and_again_every_day(
    couple: Case, ana: Person
) -> None:
    make.admin()
    uma, una = make.supervisor(), make.supervisor("una")
    relate(couple, uma, "supervisor")
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    assert not Flag.objects.visible_to(uma.as_actor()).exists()
    assert escalate(NOW + timedelta(hours=3, minutes=59)) == 0
    first = NOW + timedelta(hours=4)
    assert escalate(first) == 1
    flag.refresh_from_db()
    assert flag.escalated_at == first
    assert told("flag_escalated") == {"Uma"}
    assert told("needs_clinician") == set()
    assert Flag.objects.visible_to(uma.as_actor()).exists()
    assert not Flag.objects.visible_to(una.as_actor()).exists()
    Notice.objects.update(seen_at=first)
    assert escalate(first + timedelta(hours=23)) == 0
    assert escalate(first + timedelta(hours=24)) == 1
    # Whoever had taken note without looking is told again, and so is the counselor.
    assert told("flag_escalated") == {"Uma"}
    assert told("flag") == {"Iris"}


def test_an_urgent_one_waits_an_hour_at_most(couple: Case, ana: Person) -> None:
    make.admin()
    raised(answered(couple, ana, better_off="daily"))
    assert escalate(NOW + timedelta(minutes=59)) == 0
    assert escalate(NOW + timedelta(hours=1)) == 1
    # The case has no supervisor: admins hear that somebody is needed, and nothing else.
    assert told("needs_clinician") == {"Olive"}
    assert told("flag_escalated") == set()


def test_a_practice_that_waits_less_than_an_hour_waits_no_longer_for_urgent_ones(
    couple: Case, ana: Person
) -> None:
    make.admin()
    raised(answered(couple, ana, better_off="daily"))
    soon = NOW + timedelta(minutes=30)
    assert safety.escalate_due(after=timedelta(minutes=30), by=SYSTEM, now=soon) == 1


@pytest.mark.parametrize("act", ["see", "close"])
def test_seen_or_closed_it_is_told_no_further(
    couple: Case, ana: Person, iris: Counselor, act: str
) -> None:
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    by = iris.member.as_actor()
    if act == "see":
        safety.see(flag=flag, by=by, now=NOW)
    else:
        safety.close(flag=flag, note=NOTE, by=by, now=NOW)
    assert told() == set()
    assert escalate(NOW + timedelta(days=3)) == 0


def test_whoever_counsels_the_case_since_is_told_of_what_is_open(couple: Case, ana: Person) -> None:
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    couple.counselor = make.counselor("theo").member
    couple.save(update_fields=["counselor"])
    escalate(NOW + timedelta(minutes=5))
    assert "Theo" in told()
    # Once: whoever has taken note isn't told anew every five minutes.
    Notice.objects.update(seen_at=NOW)
    escalate(NOW + timedelta(minutes=10))
    assert told() == set()
    assert Flag.objects.visible_to(couple.counselor.as_actor()).get() == flag


def test_any_number_of_open_ones_takes_the_same_statements(couple: Case, ana: Person) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as caught:
            escalate(NOW)
        return len(caught)

    raised(answered(couple, ana, afraid="yes"))
    few = statements()
    carl = make.counselor("carl")
    for number in range(4):
        email = f"dana{number}@example.org"
        dana = make.dana(email=email)
        case = make.case(dana, counselor=carl)
        relate(case, make.counselor(f"co{number}").member, "co_counselor")
        raised(
            make.response(
                make.assignment(make.intake(case, dana), Instrument.objects.get()),
                {"afraid": "yes"},
                sent=True,
                guarded=True,
            )
        )
    assert Flag.objects.open().count() == 5
    assert statements() == few


def test_beat_looks_with_the_practices_own_hours(
    couple: Case, ana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    make.admin()
    practice = make.practice()
    practice.escalate_after_hours = 2
    practice.save(update_fields=["escalate_after_hours"])
    raised(answered(couple, ana, afraid="yes"))
    monkeypatch.setattr("practice.tasks.timezone.now", lambda: NOW + timedelta(minutes=119))
    assert escalate_flags() == 0
    monkeypatch.setattr("practice.tasks.timezone.now", lambda: NOW + timedelta(hours=2))
    assert escalate_flags() == 1


# --- seen and closed -----------------------------------------------------------------------------


def test_a_clinician_closes_it_with_a_note_and_safe_mode_ends_with_the_last(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    first, second = raised(answered(couple, ana, afraid="yes", better_off="daily"))
    by = iris.member.as_actor()
    closed = safety.close(flag=first, note=f"  {NOTE} ", asked=True, by=by, now=NOW)
    assert (closed.closed_by, closed.seen_by, closed.note) == (iris.member, iris.member, NOTE)
    assert AuditEntry.objects.get(verb="flag.closed").detail == {"asked": True}
    assert is_in_safe_mode(couple)
    safety.close(flag=second, note=NOTE, by=by, now=NOW)
    assert not is_in_safe_mode(couple)
    with pytest.raises(escalation.NotAllowed, match="closed"):
        safety.close(flag=first, note=NOTE, by=by, now=NOW)


@pytest.mark.parametrize("note", ["", "         ", "ok", "1234567890 !", "a b c d e f"])
def test_a_note_says_something(couple: Case, ana: Person, iris: Counselor, note: str) -> None:
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    with pytest.raises(escalation.NotAllowed, match="note_short"):
        safety.close(flag=flag, note=note, by=iris.member.as_actor(), now=NOW)
    assert Flag.objects.open().exists()


def members(case: Case) -> dict[str, Actor]:
    """Everybody who isn't a clinician of the case."""
    uma, theo = make.supervisor(), make.counselor("theo").member
    relate(case, uma, "supervisor")
    named = make.front_desk("nora")
    relate(case, named, "named")
    return {
        "admin": make.admin().as_actor(),
        "front desk": make.front_desk().as_actor(),
        "reviewer": make.reviewer().as_actor(),
        "supervisor": uma.as_actor(),
        "another's": theo.as_actor(),
        "named": named.as_actor(),
        "glass": theo.as_actor([case.pk]),
    }


def test_nobody_else_closes_one_and_few_see_it(couple: Case, ana: Person) -> None:
    others = members(couple)
    (flag,) = raised(answered(couple, ana, afraid="yes"))
    Flag.objects.update(escalated_at=NOW)
    sees = {who for who, actor in others.items() if Flag.objects.visible_to(actor).exists()}
    assert sees == {"supervisor", "glass"}
    for actor in others.values():
        with pytest.raises(NotPermitted), transaction.atomic():
            safety.close(flag=flag, note=NOTE, by=actor, now=NOW)
    noted = set()
    for who, actor in others.items():
        try:
            with transaction.atomic():
                safety.see(flag=flag, by=actor, now=NOW)
        except NotPermitted:
            continue
        noted.add(who)
    # Through the glass it is read, and nothing else.
    assert noted == {"supervisor"}
    assert Flag.objects.open().count() == 1


def test_neither_partner_sees_one(couple: Case, ana: Person) -> None:
    raised(answered(couple, ana, afraid="yes"))
    assert couple.couple is not None
    for one in couple.couple.members.all():
        assert not Flag.objects.visible_to(Actor.of_person(one.person_id, proof=2)).exists()


def test_the_gravest_stands_first_for_who_may_see_them(
    couple: Case, ana: Person, iris: Counselor
) -> None:
    raised(answered(couple, ana, afraid="yes", better_off="daily"))
    found = queries.open_flags(iris.member.as_actor(), couple)
    assert [one.severity for one in found] == ["urgent", "high"]
    assert queries.open_flags(make.admin().as_actor(), couple) == []
