"""What PostgreSQL refuses to store of instruments, answers and reviews, whoever writes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction

from clients.models import Case, Person
from intake.models import (
    Agreement,
    Assignment,
    CrisisLine,
    Flag,
    Instrument,
    Intake,
    Release,
    Response,
    Review,
)
from practice.models import FormRule
from tests import factories as make
from tests.factories import NOW

pytestmark = pytest.mark.django_db

LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def _changed(row: models.Model, **values: Any) -> None:
    """Write past the model, as a mistake elsewhere might."""
    type(row)._default_manager.filter(pk=row.pk).update(**values)


def _couple() -> tuple[Case, Person, Person]:
    ana, ben = make.ana(), make.ben()
    return make.case(ana, ben), ana, ben


def _intake() -> Intake:
    case, ana, _ = _couple()
    return make.intake(case, ana)


def _assignment() -> Assignment:
    return make.assignment(_intake(), make.instrument())


def _response(**values: Any) -> Response:
    return make.response(_assignment(), {"words": "x"}, **values)


def _flag(**values: Any) -> Flag:
    case, ana, _ = _couple()
    return make.flag(case, ana, **values)


def _review(**values: Any) -> Review:
    return make.review(_couple()[0], **values)


# --- the same twice ------------------------------------------------------------------------------


def _version_twice() -> None:
    for _ in range(2):
        make.instrument(state=Instrument.State.DRAFT)


def _two_published() -> None:
    make.instrument(version="1")
    make.instrument(version="2")


def _two_links() -> None:
    case, ana, _ = _couple()
    for _ in range(2):
        make.intake(case, ana)


def _given_twice() -> None:
    intake, instrument = _intake(), make.instrument()
    for _ in range(2):
        make.assignment(intake, instrument)


def _agreed_twice() -> None:
    case, ana, _ = _couple()
    for _ in range(2):
        make.agreement(case, ana)


def _flag_twice() -> None:
    response = _response()
    intake = response.assignment.intake
    for _ in range(2):
        make.flag(intake.case, intake.person, response=response)


def _two_reviews() -> None:
    case, _, _ = _couple()
    for _ in range(2):
        make.review(case)


def _line(**values: Any) -> None:
    CrisisLine.objects.create(
        **{"country": "US", "kind": "suicide", "label": "A line", "phone": "988", **values}
    )


def _line_twice() -> None:
    for _ in range(2):
        _line()


def _rule(**values: Any) -> None:
    FormRule.objects.create(**{"slug": "mood", **values})


def _rule_twice() -> None:
    for _ in range(2):
        _rule()


def _rule_of_a_service_twice() -> None:
    service = make.service()
    for _ in range(2):
        _rule(service=service)


# --- a release -----------------------------------------------------------------------------------


def _of_both() -> tuple[Case, Response, Response]:
    case, *persons = _couple()
    mood = make.instrument()
    first, second = (
        make.response(make.assignment(make.intake(case, person), mood)) for person in persons
    )
    return case, first, second


def _released(**values: Any) -> None:
    case, first, second = _of_both()
    by = make.member("iris", roles=["counselor"])
    both = {"first": first, "second": second, "parts": ["map"]}
    made: dict[str, Any] = {"case": case, "released_at": NOW, "released_by": by, **both}
    Release.objects.create(**{**made, **values})


def _released_twice() -> None:
    case, first, second = _of_both()
    by = make.member("iris", roles=["counselor"])
    for _ in range(2):
        Release.objects.create(
            case=case,
            first=first,
            second=second,
            parts=["map"],
            released_at=NOW,
            released_by=by,
        )


def _released_of_one() -> None:
    _, first, _ = _of_both()
    Release.objects.create(
        case=first.assignment.intake.case,
        first=first,
        second=first,
        parts=["map"],
        released_at=NOW,
        released_by=make.admin(),
    )


BREACHES: list[tuple[str, Callable[[], None]]] = [
    ("duet_instrument_once", _version_twice),
    ("duet_instrument_one_published", _two_published),
    (
        "duet_instrument_state_dates",
        lambda: _changed(make.instrument(state="draft"), published_at=NOW),
    ),
    (
        "duet_instrument_state_dates",
        lambda: _changed(make.instrument(state="draft"), retired_at=NOW),
    ),
    (
        "duet_instrument_state_dates",
        lambda: _changed(make.instrument(state="draft"), state="published"),
    ),
    ("duet_instrument_state_dates", lambda: _changed(make.instrument(), retired_at=NOW)),
    ("duet_instrument_state_dates", lambda: _changed(make.instrument(), state="retired")),
    ("duet_instrument_attested_together", lambda: _changed(make.instrument(), attested_at=NOW)),
    (
        "duet_instrument_attested_together",
        lambda: _changed(make.instrument(), attested_by=make.admin(), attested_at=NOW),
    ),
    (
        "duet_instrument_attested_together",
        lambda: _changed(make.instrument(), attested_basis="A licence"),
    ),
    ("duet_intake_once", _two_links),
    ("duet_intake_ends", lambda: _changed(_intake(), ends_at=NOW)),
    ("duet_assignment_once", _given_twice),
    ("duet_assignment_closed_pair", lambda: _changed(_assignment(), closed_at=NOW)),
    ("duet_assignment_closed_pair", lambda: _changed(_assignment(), state="sent")),
    ("duet_assignment_closed_pair", lambda: _changed(_assignment(), state="expired")),
    ("duet_assignment_closed_pair", lambda: _changed(_assignment(), state="withdrawn")),
    (
        "duet_response_guarded_is_for_the_counselor",
        lambda: _changed(_response(sent=False, guarded=True), audience="person"),
    ),
    (
        "duet_response_guarded_is_for_the_counselor",
        lambda: _changed(_response(sent=False, audience="staff"), guarded=True),
    ),
    ("duet_response_sent_whole", lambda: _changed(_response(sent=False), sent_at=NOW)),
    ("duet_response_sent_whole", lambda: _changed(_response(sent=False), content_hash=b"x")),
    ("duet_response_sent_whole", lambda: _changed(_response(sent=False), scores=b"{}")),
    (
        "duet_response_sent_whole",
        lambda: _changed(_response(sent=False), sent_at=NOW, content_hash=b"x", scores=b"{}"),
    ),
    ("duet_agreement_one_standing", _agreed_twice),
    (
        "duet_agreement_withdrawn_later",
        lambda: _changed(make.agreement(*_couple()[:2]), withdrawn_at=BEFORE),
    ),
    ("duet_release_one_standing", _released_twice),
    ("duet_release_of_two", _released_of_one),
    ("duet_release_withdrawn_pair", lambda: _released(withdrawn_at=LATER)),
    ("duet_release_withdrawn_pair", lambda: _released(withdrawn_by=make.admin())),
    ("duet_flag_once", _flag_twice),
    ("duet_flag_closed_with_a_note", lambda: _changed(_flag(), closed_at=LATER)),
    (
        "duet_flag_closed_with_a_note",
        lambda: _changed(_flag(), closed_at=LATER, closed_by=make.admin()),
    ),
    ("duet_flag_closed_with_a_note", lambda: _changed(_flag(), note=b"x")),
    ("duet_flag_seen_pair", lambda: _changed(_flag(), seen_at=LATER)),
    ("duet_flag_seen_pair", lambda: _changed(_flag(), seen_by=make.admin())),
    ("duet_review_one_open", _two_reviews),
    ("duet_review_decided_whole", lambda: _changed(_review(), decision="accepted")),
    ("duet_review_decided_whole", lambda: _changed(_review(), decided_at=LATER)),
    (
        "duet_review_decided_whole",
        lambda: _changed(_review(), decided_at=LATER, decided_by=make.admin()),
    ),
    ("duet_review_decided_whole", lambda: _changed(_review(), decision="closed")),
    (
        "duet_review_decided_whole",
        lambda: _changed(_review(), decision="accepted", decided_at=LATER),
    ),
    ("duet_review_claimed_pair", lambda: _changed(_review(), claimed_at=LATER)),
    ("duet_review_claimed_pair", lambda: _changed(_review(), claimed_by=make.admin())),
    ("duet_review_due", lambda: _changed(_review(), due_at=BEFORE)),
    ("duet_crisisline_once", _line_twice),
    ("duet_crisisline_reachable", lambda: _line(phone="")),
    ("duet_crisisline_verified_pair", lambda: _line(verified_on=date(2027, 1, 1))),
    ("duet_crisisline_verified_pair", lambda: _line(verified_by=make.admin())),
    ("duet_formrule_once", _rule_twice),
    ("duet_formrule_once", _rule_of_a_service_twice),
    ("duet_formrule_weeks", lambda: _rule(when="every_weeks")),
    ("duet_formrule_weeks", lambda: _rule(when="every_weeks", weeks=0)),
    ("duet_formrule_weeks", lambda: _rule(when="every_weeks", weeks=53)),
    ("duet_formrule_weeks", lambda: _rule(when="every_second", weeks=2)),
    ("duet_formrule_weeks", lambda: _rule(weeks=2)),
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


def test_every_constraint_of_the_intake_has_a_test() -> None:
    named = {
        constraint.name
        for model in apps.get_app_config("duet_intake").get_models()
        for constraint in model._meta.constraints
    }
    named |= {constraint.name for constraint in FormRule._meta.constraints}
    assert named == {constraint for constraint, _ in BREACHES}


# --- what stays ----------------------------------------------------------------------------------


def _published(**values: Any) -> None:
    _changed(make.instrument(), **values)


def _step() -> models.Model:
    return make.review_step(_review())


STAYS: list[tuple[str, Callable[[], object]]] = [
    ("duet_instrument_stays", lambda: _published(slug="other")),
    ("duet_instrument_stays", lambda: _published(version="2")),
    ("duet_instrument_stays", lambda: _published(language="es")),
    ("duet_instrument_stays", lambda: _published(title="Other")),
    ("duet_instrument_stays", lambda: _published(definition={})),
    ("duet_instrument_stays", lambda: _published(fhir={})),
    ("duet_instrument_stays", lambda: _published(content_hash=b"x")),
    ("duet_instrument_stays", lambda: _published(published_at=LATER)),
    ("duet_instrument_stays", lambda: _published(state="draft", published_at=None)),
    ("duet_instrument_stays", lambda: make.instrument().delete()),
    ("duet_instrument_stays", lambda: _changed(make.instrument(state="retired"), title="Other")),
    ("duet_instrument_stays", lambda: make.instrument(state="retired").delete()),
    ("duet_response_stays", lambda: _changed(_response(), answers=b"x")),
    ("duet_response_stays", lambda: _changed(_response(), scores=b"x")),
    ("duet_response_stays", lambda: _changed(_response(), audience="couple")),
    ("duet_response_stays", lambda: _changed(_response(guarded=True), guarded=False)),
    (
        "duet_response_stays",
        lambda: _changed(_response(), sent_at=None, content_hash=None, scores=None, scored_by=""),
    ),
    ("duet_response_stays", lambda: _response().delete()),
    ("duet_reviewstep_stays", lambda: _changed(_step(), kind="accepted")),
    ("duet_reviewstep_stays", lambda: _changed(_step(), reason=b"x")),
    ("duet_reviewstep_stays", lambda: _step().delete()),
]


@pytest.mark.parametrize(("trigger", "change"), STAYS)
def test_the_database_keeps_what_was_given(trigger: str, change: Callable[[], object]) -> None:
    assert trigger
    refusal = "stays as it is|is append-only"
    with pytest.raises(IntegrityError, match=refusal), transaction.atomic():
        change()


@pytest.mark.parametrize(("trigger", "change"), STAYS)
def test_without_its_trigger_the_same_would_be_changed(
    trigger: str, change: Callable[[], object]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = %s", [trigger])
        ((table,),) = cursor.fetchall()
        cursor.execute(f"DROP TRIGGER {trigger} ON {table}")
    change()


def test_every_trigger_of_the_intake_has_a_test() -> None:
    tables = [model._meta.db_table for model in apps.get_app_config("duet_intake").get_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname FROM pg_trigger"
            " WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)",
            [tables],
        )
        named = {name for (name,) in cursor.fetchall()}
    assert named == {trigger for trigger, _ in STAYS}


# --- and what is no breach -----------------------------------------------------------------------


def test_a_draft_changes_and_a_published_version_is_retired_and_attested() -> None:
    draft = make.instrument(state=Instrument.State.DRAFT)
    _changed(draft, title="Better", definition={"id": "mood"})
    draft.delete()
    published = make.instrument()
    basis = {"attested_by": make.admin(), "attested_at": NOW, "attested_basis": "A letter"}
    _changed(published, **basis)
    _changed(published, state="retired", retired_at=LATER)
    make.instrument(version="2")
    assert Instrument.objects.count() == 2


def test_what_isnt_sent_changes_until_it_is() -> None:
    response = _response(sent=False)
    response.answers = "{}"
    response.save(update_fields=["answers"])
    response.sent_at, response.content_hash = LATER, b"x"
    response.scores, response.scored_by = "{}", "tests"
    response.save()
    with pytest.raises(IntegrityError, match="stays"), transaction.atomic():
        response.save()


def test_what_has_ended_makes_room_for_the_next() -> None:
    case, ana, _ = _couple()
    _changed(make.intake(case, ana), ended_at=LATER)
    make.intake(case, ana)
    _changed(make.agreement(case, ana), withdrawn_at=LATER)
    make.agreement(case, ana)
    olive = make.admin()
    make.review(case, decision=Review.Decision.ACCEPTED, decided_by=olive)
    make.review(case)
    make.flag(case, ana, closed_by=olive, note="Spoken.")
    make.flag(case, ana)
    assert Intake.objects.count() == Agreement.objects.count() == 2
    assert Review.objects.open().count() == Flag.objects.open().count() == 1
