"""The demo practice: lived-in on any day, made up, clean to the auditor, never over real data."""

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from clients.actions import audit
from clients.management import progress
from clients.models import AuditEntry, Case, Member, Message, Notice, Person
from clients.queries import people
from clients.rules import contact
from clients.rules.actors import ROLES, Actor
from intake.actions import giving
from intake.models import (
    Agreement,
    Assignment,
    Flag,
    Instrument,
    Intake,
    Release,
    Response,
    Review,
)
from intake.models.safety import is_in_safe_mode
from intake.queries import crisis, cycle
from intake.rules import answers as answer_rules
from intake.rules import conditions, pages, scoring, signing
from intake.rules import cycle as cycle_rules
from practice.demo import drawing, loading, sign_ins
from practice.demo.drawing import Visit
from practice.models import Appointment, Attendance, Counselor, FormRule, Practice, Service
from practice.queries import invariants, offers
from practice.rules import wall
from tests import factories

SYSTEM = Actor.system()
# A Wednesday at noon in New York.
NOON = datetime(2027, 1, 13, 17, 0, tzinfo=UTC)


def load(now: datetime = NOON, *, cases: int = 40, reset: bool = False) -> loading.Counts:
    counts = loading.load(cases=cases, reset=reset, by=SYSTEM, now=now)
    while audit.seal(by=SYSTEM, now=now):
        pass
    return counts


# --- the drawing ---------------------------------------------------------------------------------


def test_the_same_day_gives_the_same_diary() -> None:
    one, other = drawing.draw(count=40, now=NOON), drawing.draw(count=40, now=NOON)
    assert one == other


def test_another_day_gives_the_same_people() -> None:
    one = drawing.draw(count=40, now=NOON)
    other = drawing.draw(count=40, now=NOON + timedelta(days=3, hours=5))
    names = [[person.name for person in case.persons] for case in one.cases]
    assert [len(case.persons) for case in other.cases] == [len(case) for case in names]
    assert names[0] == [person.name for person in other.cases[0].persons]


def _blocked(visit: Visit) -> tuple[int, int]:
    service = drawing.service(visit.service)
    return visit.start, visit.end + service.buffer_after


@settings(max_examples=25, deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)))  # noqa: DTZ001
def test_on_any_day_nothing_overlaps_but_what_says_so(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC, second=0, microsecond=0)
    minute = wall.minute_ceiling(now)
    diary = drawing.draw(count=40, now=now)
    for who in range(3):
        visits = [
            visit
            for case in diary.cases
            if case.counselor == who
            for visit in case.visits
            if visit.state != "cancelled" and not visit.overbooked
        ]
        periods = sorted(_blocked(visit) for visit in visits)
        assert all(one[1] <= other[0] for one, other in pairwise(periods))
    every = [visit for case in diary.cases for visit in case.visits]
    assert all(visit.booked < min(visit.start, minute) for visit in every)
    soon = [visit for visit in diary.cases[0].visits if visit.start == minute + drawing.SOON]
    assert [visit.state for visit in soon] == ["confirmed"]
    assert sum(visit.overbooked for visit in every) == 1


@settings(max_examples=25, deadline=None)
@given(st.datetimes(datetime(2026, 1, 1), datetime(2030, 12, 31)))  # noqa: DTZ001
def test_every_counselor_has_a_full_day_today_whatever_the_day(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    minute = wall.minute_ceiling(now)
    diary = drawing.draw(count=40, now=now)
    for who, card in enumerate(diary.counselors):
        today = wall.wall(minute, card.zone).date()
        visits = [
            visit
            for case in diary.cases
            if case.counselor == who
            for visit in case.visits
            if wall.wall(visit.start, card.zone).date() == today
        ]
        assert len(visits) >= 3


def test_nobody_in_it_could_be_taken_for_somebody() -> None:
    persons = [person for case in drawing.draw(count=40, now=NOON).cases for person in case.persons]
    assert len({person.name for person in persons}) == len(persons)
    for person in persons:
        assert contact.name(person.name) == person.name
        if person.email:
            assert contact.email(person.email).endswith(("@example.org", "@example.com"))
        if person.phone:
            assert re.fullmatch(r"\+1\d{3}55501\d\d", contact.phone(person.phone, region="US"))


# --- the load ------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_it_shows_what_a_practice_meets() -> None:
    counts = load()
    assert counts.cases == Case.objects.count() == 40
    assert counts.persons == Person.objects.count()
    assert counts.appointments == Appointment.objects.count()
    assert counts.messages == Message.objects.count()
    assert Case.objects.filter(couple__isnull=False).count() > 24, "most are couples"
    assert Counselor.objects.count() == 3
    assert Counselor.objects.values("zone").distinct().count() == 2
    assert Service.objects.count() == 4
    states = Counter(Appointment.objects.values_list("state", flat=True))
    assert set(states) == {"requested", "confirmed", "cancelled", "done", "no_show"}
    alone = Attendance.objects.filter(state="cancelled", appointment__state="confirmed")
    assert {attendance.role for attendance in alone} == {"partner"}, "the other one still comes"
    assert Appointment.objects.filter(overbooked=True).exclude(override_reason="").count() == 1
    gates = set(Attendance.objects.values_list("gate", flat=True))
    assert gates == {"open", "said_unsafe", "shared_address", "private_check", "no_contact"}
    partners = Attendance.objects.filter(role="partner", appointment__period__startswith__gt=NOON)
    assert {"expected", "confirmed", "cancelled"} <= set(partners.values_list("state", flat=True))


@pytest.mark.django_db
def test_the_auditor_finds_nothing_amiss() -> None:
    load()
    assert invariants.breaches(NOON) == []
    # Nor ten minutes later, but for what has become due since and was not sent here.
    later = {breach.invariant for breach in invariants.breaches(NOON + timedelta(minutes=20))}
    assert later <= {"I4"}


@pytest.mark.django_db
@pytest.mark.parametrize("days", range(7))
def test_the_auditor_finds_nothing_amiss_on_any_day_of_the_week(days: int) -> None:
    now = NOON + timedelta(days=days, hours=3 * days, seconds=11)
    load(now, cases=15)
    assert invariants.breaches(now) == []


@pytest.mark.django_db
@pytest.mark.parametrize("hours", [0, 8, 13])
def test_one_reminder_is_about_to_leave_by_night_too(hours: int) -> None:
    now = NOON + timedelta(hours=hours)
    load(now, cases=6)
    soon = Message.objects.filter(state="planned", due_at__lte=now + timedelta(minutes=3))
    assert [row.purpose for row in soon] == ["reminder-120", "reminder-120"]
    starts = now + timedelta(minutes=drawing.SOON)
    assert {row.about_at for row in soon} == {starts}
    appointment = Appointment.objects.get(period__startswith=starts, offered_under=None)
    assert appointment.created_at < now - timedelta(days=1)


@pytest.mark.django_db
def test_what_was_due_has_been_sent_and_nothing_is_sent_by_loading(
    mailoutbox: list[object],
) -> None:
    load()
    assert not Message.objects.filter(state="planned", due_at__lte=NOON).exists()
    sent = Message.objects.filter(state="sent")
    assert sent.count() > 200
    assert not sent.filter(sent_at__gt=NOON).exists()
    states = set(Message.objects.values_list("state", flat=True))
    assert {"sent", "planned", "cancelled", "suppressed"} <= states
    assert mailoutbox == []


@pytest.mark.django_db
def test_names_read_back_and_people_are_found() -> None:
    load()
    person = Person.objects.select_related("key").earliest("created_at")
    assert person in people.persons_named(Actor.system(), person.name)
    attendance = Attendance.objects.select_related("person__key").filter(role="booker")[0]
    assert list(Attendance.objects.opened_by(factories.token_hash(attendance.token))) == [
        attendance
    ]


@pytest.mark.django_db
def test_there_are_times_to_book() -> None:
    load()
    today = NOON.date()
    for service in Service.objects.all():
        found = offers.open_times(
            service=service,
            counselor=None,
            from_on=today,
            to_on=today + timedelta(days=14),
            zone="America/New_York",
            now=NOON,
        )
        assert len(found) > 5, service.slug


@pytest.mark.django_db
def test_a_larger_practice_has_more_counselors_and_is_clean_too() -> None:
    load(cases=150)
    assert Counselor.objects.count() > 3
    assert invariants.breaches(NOON) == []


# --- whom it refuses -----------------------------------------------------------------------------


@pytest.mark.django_db
def test_outside_demo_mode_it_refuses(settings: Settings) -> None:
    settings.DUET = settings.DUET | {"MODE": "production"}
    with pytest.raises(CommandError, match="in demo mode only"):
        call_command("demo")
    assert not Practice.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [[], ["--reset"]])
def test_over_a_practice_of_somebodys_own_it_refuses(arguments: list[str]) -> None:
    factories.practice()
    factories.ana()
    with pytest.raises(CommandError, match="isn't the demo: nothing was changed"):
        call_command("demo", *arguments)
    assert Person.objects.count() == 1


@pytest.mark.django_db
def test_over_somebody_elses_users_it_refuses() -> None:
    get_user_model().objects.create_user(username="olive")
    with pytest.raises(CommandError, match="users with the names"):
        call_command("demo")


@pytest.mark.django_db
def test_twice_is_refused_and_reset_loads_anew() -> None:
    load(cases=5)
    with pytest.raises(CommandError, match="loaded already"):
        call_command("demo")
    person = Person.objects.earliest("created_at").pk
    out = StringIO()
    call_command("demo", "--reset", "--cases", "6", stdout=out)
    assert "Loaded 6 cases" in out.getvalue()
    assert Case.objects.count() == 6
    assert not Person.objects.filter(pk=person).exists()
    assert AuditEntry.objects.filter(verb=loading.LOADED).count() == 1
    assert invariants.breaches(timezone.now()) == []


@pytest.mark.django_db
def test_a_load_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_analyze", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        load(cases=5)
    assert not Practice.objects.exists()
    assert not Person.objects.exists()


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "٣", "100001", "x"])
def test_a_number_of_cases_that_is_none_is_refused(count: str) -> None:
    with pytest.raises(CommandError, match="whole number"):
        call_command("demo", "--cases", count)


class Terminal(StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.django_db
def test_on_a_terminal_a_bar_grows_until_all_is_loaded() -> None:
    shown = Terminal()
    call_command("demo", "--cases", "300", stderr=shown, stdout=StringIO())
    steps = [line.split(" ", 1)[1] for line in shown.getvalue().strip("\r\n").split("\r")]
    assert steps == ["0 of 300 cases", "250 of 300 cases", "300 of 300 cases"]
    assert shown.getvalue().endswith(f"\r{'█' * 30} 300 of 300 cases\n")


@pytest.mark.django_db
def test_elsewhere_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count(0, 6)
    clock = SimpleNamespace(monotonic=lambda: float(next(seconds)))
    monkeypatch.setattr(progress, "time", clock)
    shown = StringIO()
    call_command("demo", "--cases", "300", stderr=shown, stdout=StringIO())
    assert shown.getvalue() == "250 of 300 cases\n"


@pytest.mark.django_db
def test_a_short_load_says_nothing_on_the_way() -> None:
    shown = StringIO()
    call_command("demo", "--cases", "3", stderr=shown, stdout=StringIO())
    assert shown.getvalue() == ""


@pytest.mark.django_db
def test_in_an_empty_database_the_tables_are_made_first() -> None:
    for label in ("duet_practice", "duet_clients"):
        call_command("migrate", label, "zero", verbosity=0, interactive=False)
    call_command("demo", "--cases", "3", stdout=StringIO())
    assert Case.objects.count() == 3


@pytest.mark.django_db
def test_an_older_database_is_left_as_it_is() -> None:
    call_command("migrate", "duet_practice", "zero", verbosity=0, interactive=False)
    with pytest.raises(CommandError, match="older than this program"):
        call_command("demo", "--cases", "3")


@pytest.mark.django_db
def test_the_printed_passwords_sign_in() -> None:
    out = StringIO()
    call_command("demo", "--cases", "3", stdout=out)
    roles = []
    for username, password, role in sign_ins():
        user = get_user_model().objects.get(username=username)
        assert user.check_password(password)
        assert re.search(rf"{username} +{password} +{role}", out.getvalue())
        assert user.duet_member.roles == [role]
        roles.append(role)
    assert set(roles) == set(ROLES)
    assert roles.count("counselor") == 3


@pytest.mark.django_db
def test_every_role_has_something_to_see() -> None:
    load()
    seen = {}
    for username, _, _ in sign_ins():
        actor = Member.objects.get(user__username=username).as_actor()
        known, opened = Case.objects.visible_to(actor), Case.objects.opened_to(actor)
        seen[username] = (known.count(), opened.count())
    restricted = Case.objects.get(restricted_at__isnull=False)
    assert restricted.counselor is not None
    assert restricted.counselor.user.username == "lucia"
    assert seen["olive"] == seen["rita"] == (39, 0)
    assert seen["sam"] == (40, 0), "he is named for the restricted one"
    assert seen["uma"] == (2, 2)
    assert seen["theo"][1] > Case.objects.filter(counselor__user__username="theo").count()


# --- what they were given and answered -----------------------------------------------------------


@pytest.mark.django_db
def test_the_couples_show_every_dance_and_every_state_of_coming_in() -> None:
    load()
    everything = [
        (case, one)
        for case in Case.objects.filter(couple__isnull=False)
        if (seen := cycle.case(SYSTEM, case.pk)) is not None
        for one in cycle.rounds(SYSTEM, seen)
    ]
    whole = [one for _, one in everything if len(one.sent) == 2 and not one.short]
    found = [
        cycle_rules.reflect(
            cycle.definition(one), *(cycle.answers(response) for response in one.responses)
        )
        for one in whole
    ]
    assert {one.dance for one in found} == {
        "pursue_withdraw",
        "mutual_pursue",
        "mutual_withdraw",
        "no_fixed_pattern",
    }
    assert {one.pursuer for one in found} == {"A", "B", None}
    assert {one.kind for one in found} >= {"quiet", "switching", "one_sided"}
    assert True in {one.tentative for one in found}
    assert any(one.discrepancy_flags for one in found)
    assert any(len(one.sent) == 1 for _, one in everything), "one of two"
    rounds = Counter(case.pk for case, _ in everything)
    assert max(rounds.values()) >= 3
    states = Counter(Assignment.objects.values_list("state", flat=True))
    assert {"open", "sent", "expired", "withdrawn"} == set(states)


@pytest.mark.django_db
def test_what_they_sent_is_sealed_scored_and_signed_as_the_form_would_have() -> None:
    load(cases=15)
    rows = Response.objects.select_related(
        "assignment__instrument", "assignment__intake__person__key"
    )
    assert rows.count() > 40
    for row in rows:
        definition = row.assignment.instrument.parsed
        answers = answer_rules.load(json.loads(row.answers))
        short = row.assignment.short
        assert conditions.given(definition, answers, short=short) == answers
        found = pages.pages(definition, answers, short=short)
        assert pages.missing(found, answers) == []
        scores = scoring.score(definition, answers, short=short)
        told = {name: None if one is None else str(one) for name, one in scores.items()}
        assert json.loads(row.scores or "") == told
        digest = bytes(row.assignment.instrument.content_hash)
        assert bytes(row.content_hash or b"") == signing.content_hash(digest, row.answers)
        assert row.guarded == (row.assignment.slug == "private-check")
        assert row.sent_at is not None
        assert row.assignment.assigned_at < row.sent_at <= NOON
    consents = Agreement.objects.select_related("person__key").filter(kind="consent")
    assert all(one.signed_name == one.person.name for one in consents)
    assert Agreement.objects.filter(kind="policy").count() >= Intake.objects.count() // 2


@pytest.mark.django_db
def test_flags_reviews_and_a_release_are_there_to_be_seen() -> None:
    load()
    iris = Member.objects.get(user__username="iris").as_actor()
    urgent = Flag.objects.visible_to(iris).filter(severity="urgent")
    assert [(one.kind, one.seen_by_id) for one in urgent.open()] == [("self-harm", iris.id)]
    assert Flag.objects.filter(kind="individual-first").open().exists()
    assert Flag.objects.filter(closed_at__isnull=False).exists()
    told = Notice.objects.filter(subject_kind="flag").values_list("subject_id", flat=True)
    assert set(told) == set(Flag.objects.values_list("pk", flat=True))
    reviews = Review.objects.all()
    waiting = reviews.open()
    assert waiting.filter(claimed_by__isnull=True).exists()
    assert waiting.filter(claimed_by__isnull=False).exists()
    assert reviews.filter(decision="accepted").exists()
    released = Release.objects.standing().select_related("case").get(case__counselor=iris.id)
    agreed = Agreement.objects.standing().filter(case=released.case, kind="share")
    assert agreed.count() == 2
    assert not is_in_safe_mode(released.case)


@pytest.mark.django_db
def test_beat_finds_nothing_to_give_or_to_end_right_after_the_load() -> None:
    load()
    assert giving.expire(by=SYSTEM, now=NOON) == 0
    assert not Intake.objects.filter(ended_at__isnull=True, ends_at__lte=NOON).exists()


@pytest.mark.django_db
def test_its_instruments_are_in_use_and_its_crisis_lines_verified() -> None:
    load(cases=3)
    in_use = set(Instrument.objects.published().values_list("slug", flat=True))
    assert {"cycle-reflection", "private-check", "practice-intake", "phq-9", "gad-7"} <= in_use
    assert in_use.isdisjoint({"cpq-2017", "csi-16", "rdas", "hits"})
    assert {rule.slug for rule in FormRule.objects.all()} <= in_use
    assert crisis.stale(NOON.date(), ["US"]) == []
    assert len(crisis.lines("US", "en")) == 3
