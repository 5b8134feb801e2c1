"""The queue of intakes, one review and one flag: by every role, and by whoever has none."""

import pytest
from django.test import Client

from clients.models import Case, Member
from practice.models import Appointment, Counselor, Practice
from tests import factories as make
from tests.practice.views.test_desk import signed_in

pytestmark = pytest.mark.django_db


def test_smoke(case: Case, iris: Counselor, olive: Member, couple: Appointment) -> None:
    review = make.review(case)
    ana = make.Person.objects.get(attendances__appointment=couple, attendances__role="booker")
    intake = make.intake(case, ana)
    form = make.assignment(intake, make.instrument(visibility="staff"))
    said = make.response(form, {"close": "often", "words": "Hello there"})
    flag = make.flag(case, ana, response=said)
    make.review_step(review, by=olive, words="Please do the rest.")
    for member in (iris.member, olive, make.reviewer()):
        client = signed_in(member)
        for address in (
            "/desk/intake/",
            "/desk/intake/?show=list",
            f"/desk/intake/{review.pk}/",
            f"/desk/intake/{review.pk}/ask/",
            f"/desk/flags/{flag.pk}/",
            f"/desk/cases/{case.pk}/",
        ):
            response = client.get(address)
            print(member, address, response.status_code)
            if address == f"/desk/intake/{review.pk}/":
                print(response.content.decode()[2000:] if member.name == "Rita" else "")
