"""The first page and the open times."""

from datetime import UTC, datetime

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from practice.models import Counselor, Service
from practice.templatetags import duet_times
from tests import factories as make
from tests.practice.views import walk

pytestmark = pytest.mark.django_db

AT_ODDS = [
    "%00",
    "'",
    "../../etc/passwd",
    "2027-13-40",
    "0001-01-01",
    "9999-12-31",
    "1" * 5_000,
    "%ED%A0%80",
    "٢٠٣٠-٠٦-٣٠",
    "-1",
]


def test_the_first_page_leads_to_the_next_times(client: Client, talk: Service) -> None:
    page = walk.text(client.get("/"))
    assert "Mon 11 Jan, 10:00, New York time" in page
    assert f"/book/?service={talk.slug}&from=2027-01-11" in page


def test_the_first_page_stands_before_the_practice_is_set_up(client: Client) -> None:
    assert client.get("/").status_code == 200
    assert "Nothing can be booked here yet" in walk.text(client.get("/book/"))


def test_the_first_step_lists_what_the_public_can_book(client: Client, iris: Counselor) -> None:
    make.service("first-talk", counselors=[iris])
    make.service("for-the-house", counselors=[iris], hidden=True)
    make.service("without-anyone")
    page = walk.text(client.get("/book/"))
    assert "First talk" in page
    assert "For the house" not in page
    assert "Without anyone" not in page


def test_a_counselor_can_be_chosen_where_there_are_two(client: Client, iris: Counselor) -> None:
    make.service(counselors=[iris, make.counselor("theo")])
    page = walk.text(client.get("/book/"))
    assert '<option value="theo">Theo</option>' in page


@pytest.mark.parametrize("slug", ["unknown", "", *AT_ODDS])
def test_an_unknown_service_leads_back_to_the_choice(
    client: Client, talk: Service, slug: str
) -> None:
    response = client.get(f"/book/?service={slug}")
    assert response.status_code == 200
    assert "Please choose what you would like to book" in walk.text(response)


def test_times_are_listed_by_day_in_the_zone_of_the_practice(client: Client, talk: Service) -> None:
    page = walk.text(client.get(f"/book/?service={talk.slug}"))
    assert "All times are in <b>New York time</b>" in page
    assert "Tue 12 Jan" in page
    assert 'aria-label="09:00, Tuesday 12 January 2027"' in page
    assert 'value="2027-01-12T09:00:00-05:00"' in page


def test_times_are_shown_in_the_zone_asked_for(client: Client, talk: Service) -> None:
    page = walk.text(client.get(f"/book/?service={talk.slug}&tz=Asia/Calcutta"))
    assert "Kolkata time" in page
    assert 'aria-label="19:30, Tuesday 12 January 2027"' in page


def test_a_page_of_times_takes_three_statements(
    client: Client, talk: Service, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for name in "abcdefgh":
        counselor = make.counselor(name)
        make.service(f"with-{name}", counselors=[counselor])
        talk.counselors.add(counselor)
        make.appointment(counselor, talk, start=make.at(1, "11:00"))
    with django_assert_num_queries(3):
        client.get(f"/book/?service={talk.slug}")


def test_the_days_can_be_turned_and_jumped_to(client: Client, talk: Service) -> None:
    page = walk.text(client.get(f"/book/?service={talk.slug}&from=2027-01-20"))
    assert "Wed 20 Jan" in page
    assert "from=2027-01-13" in page
    assert "from=2027-01-27" in page


@pytest.mark.parametrize("asked", ["2020-01-01", "2190-01-01", *AT_ODDS])
def test_a_day_out_of_reach_shows_the_nearest_page(
    client: Client, talk: Service, asked: str
) -> None:
    response = client.get(f"/book/?service={talk.slug}&from={asked}")
    assert response.status_code == 200


@pytest.mark.parametrize("name", ["tz", "counselor", "who"])
@pytest.mark.parametrize("value", AT_ODDS)
def test_an_odd_address_still_shows_times(
    client: Client, talk: Service, name: str, value: str
) -> None:
    response = client.get(f"/book/?service={talk.slug}&{name}={value}")
    assert response.status_code == 200
    assert "New York time" in walk.text(response)


def test_days_without_a_time_say_when_the_next_one_is(client: Client, talk: Service) -> None:
    make.time_off(make.at(0, "00:00"), make.at(10, "00:00"))
    page = walk.text(client.get(f"/book/?service={talk.slug}"))
    assert "The next one is on Thu 21 Jan, 09:00 (New York time)" in page
    assert "from=2027-01-21" in page


def test_htmx_gets_the_list_alone(client: Client, talk: Service) -> None:
    response = client.get(f"/book/?service={talk.slug}", headers={"HX-Request": "true"})
    assert response.content.decode().lstrip().startswith('<div id="times"')
    assert "HX-Request" in response["Vary"]


def test_looking_for_a_time_writes_nothing(client: Client, talk: Service) -> None:
    before = walk.domain_rows()
    for address in ("/", "/book/", f"/book/?service={talk.slug}", "/book/details/", "/book/done/"):
        client.get(address)
        client.head(address)
    assert walk.domain_rows() == before
    assert "sessionid" not in client.cookies


def test_a_time_that_comes_twice_names_its_offset() -> None:
    first = datetime(2030, 10, 27, 0, 30, tzinfo=UTC)
    assert duet_times.in_zone(first, "Europe/Berlin") == "Sun 27 Oct, 02:30 CEST"
    assert duet_times.in_zone(first.replace(hour=1), "Europe/Berlin") == "Sun 27 Oct, 02:30 CET"
    assert duet_times.in_zone(first.replace(hour=3), "Europe/Berlin") == "Sun 27 Oct, 04:30"


def test_the_first_page_leads_straight_to_times(client: Client, talk: Service) -> None:
    home = walk.text(client.get("/"))
    assert f'href="/book/?service={talk.slug}"' in home
    assert "Choose a time" in walk.text(client.get("/book/", {"service": talk.slug}))
