"""Who was shown to a member: an entry for each person in each answer, before it is sent."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from clients.actions import audit
from clients.models import Case, Person
from clients.rules.actors import Actor
from intake.actions import reads as forms
from intake.models import Flag, Response, Review
from practice.models import Answer, Appointment, Attendance

# A line in a list; a page of its own; the form of a booking for somebody known.
IN_LIST: Final = "diary.read"
ON_PAGE: Final = "appointment.read"
TO_BOOK: Final = "person.read"
# A line in the list of cases; a case's own page.
IN_CASELOAD: Final = "caseload.read"
ON_CASE: Final = "case.read"
# A case of others was told of, and nobody's name; a look all the same, since it tells who is here.
IN_SEARCH: Final = "search.read"
# A line in the report of who looked.
IN_REPORT: Final = "access.read"
# A line in the list of what clients ask about their record.
IN_REQUESTS: Final = "request.read"
# A line in the queue of intakes; the page of a review, with how many of their answers.
IN_QUEUE: Final = "queue.read"
ON_REVIEW: Final = "review.read"
# The page of a flag. A copy of the record names the verb, and is read at home: it says no more.
ON_FLAG: Final = "answers.read"
# The page from which a client is given a code.
ON_CODE: Final = "code.read"


def in_list(*, attendances: Iterable[Attendance], by: Actor, now: datetime) -> None:
    """These stood in a list; each with its appointment at hand. One statement."""
    audit.record_reads(
        verb=IN_LIST,
        persons=[(one.person_id, one.appointment.case_id) for one in attendances],
        by=by,
        now=now,
    )


def on_page(
    *, appointment: Appointment, answers: Iterable[Answer] = (), by: Actor, now: datetime
) -> None:
    """An appointment's own page was shown, with these answers. One statement."""
    attendances = list(appointment.attendances.all())
    written = Counter(one.attendance_id for one in answers)
    audit.record_reads(
        verb=ON_PAGE,
        persons=[(one.person_id, appointment.case_id) for one in attendances],
        subject=("appointment", appointment.pk),
        details={one.person_id: {"answers": written[one.pk]} for one in attendances},
        by=by,
        now=now,
    )


def to_book(*, case: Case | None, persons: Iterable[Person], by: Actor, now: datetime) -> None:
    """Persons of a case were shown to book for them. One statement."""
    case_id: UUID | None = case.pk if case else None
    audit.record_reads(verb=TO_BOOK, persons=[(one.pk, case_id) for one in persons], by=by, now=now)


def in_caseload(*, persons: Iterable[tuple[UUID, UUID]], by: Actor, now: datetime) -> None:
    """These persons, each with their case, stood in a list of cases. One statement."""
    audit.record_reads(verb=IN_CASELOAD, persons=persons, by=by, now=now)


def in_search(*, persons: Iterable[tuple[UUID, UUID]], by: Actor, now: datetime) -> None:
    """Somebody looked for these persons, and was told of their cases. One statement."""
    audit.record_reads(verb=IN_SEARCH, persons=persons, by=by, now=now)


def on_case(
    *,
    case: Case,
    persons: Iterable[Person],
    answers: Iterable[Answer] = (),
    by: Actor,
    now: datetime,
) -> None:
    """A page about one case was shown, with these answers. One statement."""
    written = Counter(one.attendance.person_id for one in answers)
    shown = list(persons)
    audit.record_reads(
        verb=ON_CASE,
        persons=[(one.pk, case.pk) for one in shown],
        subject=("case", case.pk),
        details={one.pk: {"answers": written[one.pk]} for one in shown},
        by=by,
        now=now,
    )


def in_access_report(
    *, persons: Iterable[tuple[UUID, UUID | None]], by: Actor, now: datetime
) -> None:
    """These persons, each with their case, stood in the report of who looked. One statement."""
    audit.record_reads(verb=IN_REPORT, persons=persons, by=by, now=now)


def in_requests(*, persons: Iterable[UUID], by: Actor, now: datetime) -> None:
    """These persons stood in the list of what is asked about records. One statement."""
    audit.record_reads(verb=IN_REQUESTS, persons=[(one, None) for one in persons], by=by, now=now)


def on_code(*, person: Person, by: Actor, now: datetime) -> None:
    """The page was shown from which this person is given a code. One statement."""
    audit.record_reads(verb=ON_CODE, persons=[(person.pk, None)], by=by, now=now)


def in_queue(*, persons: Iterable[tuple[UUID, UUID]], by: Actor, now: datetime) -> None:
    """These persons, each with their case, stood in the queue of intakes. One statement."""
    audit.record_reads(verb=IN_QUEUE, persons=persons, by=by, now=now)


def on_review(
    *,
    review: Review,
    persons: Iterable[Person],
    responses: Iterable[Response] = (),
    by: Actor,
    now: datetime,
) -> None:
    """The page of a review was shown, with these answers. One statement."""
    sent = Counter(one.assignment.intake.person_id for one in responses)
    shown = list(persons)
    audit.record_reads(
        verb=ON_REVIEW,
        persons=[(one.pk, review.case_id) for one in shown],
        subject=("review", review.pk),
        details={one.pk: {"forms": sent[one.pk]} for one in shown},
        by=by,
        now=now,
    )


def on_flag(*, flag: Flag, with_answers: bool, by: Actor, now: datetime) -> None:
    """The page of a flag was shown, with what raised it or without. One statement."""
    audit.record_reads(
        verb=ON_FLAG,
        persons=[(flag.person_id, flag.case_id)],
        subject=("flag", flag.pk),
        details={flag.person_id: {"answers": with_answers}},
        by=by,
        now=now,
    )


def on_response(*, response: Response, by: Actor, now: datetime) -> None:
    """The page of one form was shown, as programs are shown it. One statement."""
    forms.one_response(response=response, by=by, now=now)
