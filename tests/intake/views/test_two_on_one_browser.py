"""Two partners use one browser, one after the other: the first keeps nothing of the second's."""

import pytest
from django.conf import settings
from django.test import Client

from tests import factories as make
from tests.intake import browsing

pytestmark = pytest.mark.django_db


def test_a_cookie_that_was_kept_opens_nothing_of_whoever_comes_next() -> None:
    make.practice()
    iris = make.counselor("iris")
    ana, ben = make.ana(), make.ben()
    case = make.case(ana, ben, counselor=iris)
    browser = browsing.come_in(make.intake(case, ana))
    kept = browser.cookies[settings.SESSION_COOKIE_NAME].value
    assert browser.get("/i/").status_code == 200
    browsing.come_in(make.intake(case, ben), browser)
    elsewhere = Client()
    elsewhere.cookies[settings.SESSION_COOKIE_NAME] = kept
    assert elsewhere.get("/i/").status_code == 404
    assert browser.get("/i/").status_code == 200
