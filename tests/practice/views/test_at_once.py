"""The same form sent several times at the same moment."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connections
from django.test import Client

from practice.models import Appointment, Service
from tests import factories as make
from tests.practice.views import walk

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.races]

TIMES = 8


def test_a_form_sent_eight_times_at_once_books_once_and_answers_the_same(
    client: Client, talk: Service
) -> None:
    walk.hold(client, talk, make.at(1, "10:00"))
    sent = walk.filled(walk.details(client), **walk.BEN)
    ready = Barrier(TIMES)

    def send(_: int) -> tuple[int, str | None]:
        browser = Client()
        browser.cookies = client.cookies
        try:
            ready.wait(30)
            response = browser.post("/book/details/", sent)
        finally:
            connections.close_all()
        return response.status_code, response.headers.get("Location")

    with ThreadPoolExecutor(TIMES) as pool:
        answers = set(pool.map(send, range(TIMES)))
    assert answers == {(302, "/book/done/")}
    assert Appointment.objects.get().state == Appointment.State.CONFIRMED
