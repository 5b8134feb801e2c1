"""Open times by the slugs of service and counselor are those that the rows themselves give."""

from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from practice.models import Counselor, Service
from practice.queries import offers
from tests import factories as make

pytestmark = pytest.mark.django_db
FROM, TO = make.MONDAY, make.MONDAY + timedelta(days=30)
ZONE = "Europe/Madrid"


@pytest.fixture
def two_in_a_room() -> tuple[Service, Counselor, Counselor]:
    """Iris and Theo share a room; both have sessions, one of them overbooked, and time off."""
    garden = make.room()
    iris = make.counselor("iris", room=garden)
    theo = make.counselor("theo", room=garden, start=8 * 60 + 10)
    session = make.service(
        "session", counselors=[iris, theo], place="address", buffer_before=5, buffer_after=15
    )
    ana = make.ana()
    make.appointment(iris, session, ana, start=make.at(1, "09:00"), room=garden)
    make.appointment(theo, session, ana, start=make.at(2, "13:40"), room=garden)
    make.appointment(
        iris,
        session,
        ana,
        start=make.at(1, "09:30"),
        overbooked=True,
        override_reason="an emergency",
        room=garden,
    )
    make.time_off(make.at(7, "00:00"), make.at(9, "00:00"))
    make.time_off(make.at(9, "00:00"), make.at(10, "00:00"), counselor=theo)
    return session, iris, theo


def from_rows(service: Service, counselor: Counselor | None) -> list[offers.OpenTime]:
    return offers.open_times(
        service=service, counselor=counselor, from_on=FROM, to_on=TO, zone=ZONE, now=make.NOW
    )


def by_names(service: str, counselor: str | None = None) -> offers.Listed | None:
    return offers.listed(
        service=service, counselor=counselor, from_on=FROM, to_on=TO, zone=ZONE, now=make.NOW
    )


def test_names_and_rows_give_the_same_times(
    two_in_a_room: tuple[Service, Counselor, Counselor],
) -> None:
    session, iris, theo = two_in_a_room
    for counselor in (None, iris, theo):
        expected = from_rows(session, counselor)
        assert expected
        found = by_names("session", counselor.slug if counselor else None)
        assert found == offers.Listed(50, expected)


def test_only_a_session_at_the_address_needs_the_room(
    two_in_a_room: tuple[Service, Counselor, Counselor],
) -> None:
    session, _, theo = two_in_a_room
    in_the_room = by_names("session", "theo")
    Service.objects.update(place="video")
    session.refresh_from_db()
    by_video = by_names("session", "theo")

    assert in_the_room
    assert by_video
    assert set(in_the_room.times) < set(by_video.times)
    assert by_video.times == from_rows(session, theo)


def test_it_is_one_statement(
    two_in_a_room: tuple[Service, Counselor, Counselor],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(1):
        by_names("session")


def test_changed_hours_show_at_once_whatever_became_of_their_version(
    two_in_a_room: tuple[Service, Counselor, Counselor],
) -> None:
    """Rule sets are kept by what they say: nothing has to be told that they changed."""
    _, iris, _ = two_in_a_room
    before = by_names("session", "iris")
    iris.hours.filter(weekday=3).delete()
    after = by_names("session", "iris")

    assert before
    assert after
    assert set(after.times) < set(before.times)


def test_nobody_offers_what_is_hidden_unknown_or_somebody_elses(
    two_in_a_room: tuple[Service, Counselor, Counselor],
) -> None:
    make.counselor("uma")
    assert by_names("session", "uma") is None
    assert by_names("session", "nobody") is None
    assert by_names("nothing") is None
    Counselor.objects.filter(slug="theo").update(active=False)
    assert by_names("session", "theo") is None
    Service.objects.update(hidden=True)
    assert by_names("session") is None
    Service.objects.update(hidden=False, active=False)
    assert by_names("session") is None


def test_more_than_62_days_are_refused() -> None:
    with pytest.raises(ValueError, match="62"):
        offers.listed(
            service="session",
            counselor=None,
            from_on=FROM,
            to_on=FROM + timedelta(days=63),
            zone=ZONE,
            now=make.NOW,
        )
