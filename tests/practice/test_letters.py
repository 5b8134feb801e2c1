"""Letters about an appointment: when one still holds, what it says, and what it must not say."""

import re
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import translation
from icalendar import Calendar
from pytest_django import DjangoAssertNumQueries, Settings

from clients.channels.letter import Letter
from clients.models import Message, Person
from practice.models import Appointment, Attendance, Counselor, Practice, Service
from practice.queries import letterhead, letters
from practice.queries.letters import AttendanceLetters
from practice.rules import neutral
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db

PURPOSES = (
    "confirmation",
    "requested",
    "invitation",
    "reminder-2880",
    "moved",
    "cancelled",
    "declined",
)
GONE = ("cancelled", "declined")


@pytest.fixture
def practice(settings: Settings) -> Practice:
    settings.DUET = settings.DUET | {"BASE_URL": "https://elm.example.org"}
    settings.DEFAULT_FROM_EMAIL = "practice@elm.example.org"
    row = factories.practice()
    row.phone = "+1 201 555 0199"
    return row


@pytest.fixture
def iris() -> Counselor:
    return factories.counselor("iris", name="Iris Counselor-Canary")


def booked(
    iris: Counselor, *persons: Person, place: str = "address", state: str = "confirmed"
) -> Appointment:
    service = factories.service("talk", counselors=[iris], name="Couple session", place=place)
    service.place_text = "12 Lantern Street, second floor"
    service.save()
    return factories.appointment(
        iris, service, *persons, start=factories.at(3, "10:00"), state=state
    )


def of(appointment: Appointment, role: str = "booker") -> Attendance:
    rows = Attendance.objects.filter(appointment=appointment.pk)
    return rows.select_related("appointment", "person__key").get(role=role)


def why_not(message: Message, practice: Practice) -> str | None:
    subject = AttendanceLetters(practice)
    subject.read([message])
    return subject.still_due(message)


def written(attendance: Attendance, purpose: str, practice: Practice) -> Letter:
    message = factories.message(attendance, purpose=purpose)
    subject = AttendanceLetters(practice)
    subject.read([message])
    assert subject.still_due(message) is None
    return subject.render(message)


def letter_of(purpose: str, iris: Counselor, practice: Practice, person: Person) -> Letter:
    """Any letter to a person, about an appointment that is as the letter needs it."""
    state = {"requested": "requested"} | dict.fromkeys(GONE, "cancelled")
    appointment = booked(iris, person, state=state.get(purpose, "confirmed"))
    return written(of(appointment), purpose, practice)


# --- when a letter holds -------------------------------------------------------------------------


@pytest.mark.parametrize("purpose", [one for one in PURPOSES if one not in (*GONE, "requested")])
def test_a_letter_holds_while_the_appointment_is_as_planned(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris)), purpose=purpose)
    assert why_not(message, practice) is None


@pytest.mark.parametrize("purpose", [one for one in PURPOSES if one not in GONE])
def test_no_letter_holds_after_the_appointment_was_cancelled(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris, state="cancelled")), purpose=purpose)
    assert why_not(message, practice) == "cancelled"


@pytest.mark.parametrize("purpose", [one for one in PURPOSES if one not in GONE])
def test_no_letter_holds_for_whoever_left_alone(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    attendance = of(booked(iris, factories.ana(), factories.ben()))
    attendance.state, attendance.cancelled_at = Attendance.State.CANCELLED, NOW
    attendance.save()
    message = factories.message(attendance, purpose=purpose)
    assert why_not(message, practice) == "cancelled"


@pytest.mark.parametrize("purpose", GONE)
def test_the_news_of_an_end_holds_only_after_it(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris)), purpose=purpose)
    assert why_not(message, practice) == "not_cancelled"


def test_the_news_of_an_end_holds_although_the_appointment_moved_on(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris, state="cancelled")
    message = factories.message(of(appointment), purpose="cancelled", version=0)
    Appointment.objects.update(sequence=4)
    assert why_not(message, practice) is None


@pytest.mark.parametrize("purpose", ["confirmation", "invitation", "reminder-120", "moved"])
def test_a_letter_of_an_older_version_does_not_hold(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris)), purpose=purpose)
    Appointment.objects.update(sequence=1)
    assert why_not(message, practice) == "moved"


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("gate", ["said_unsafe", "shared_address", "private_check", "no_contact"])
def test_nothing_goes_to_a_partner_past_the_gate(
    purpose: str, gate: str, practice: Practice, iris: Counselor
) -> None:
    state = "cancelled" if purpose in GONE else "confirmed"
    service = factories.service(counselors=[iris])
    appointment = factories.appointment(
        iris,
        service,
        factories.ana(),
        factories.ben(),
        start=factories.at(3),
        gate=gate,
        state=state,
    )
    message = factories.message(of(appointment, "partner"), purpose=purpose)
    assert why_not(message, practice) == f"gate_{gate}"


@pytest.mark.parametrize("purpose", ["confirmation", "reminder-120", "invitation"])
def test_what_is_only_asked_for_is_neither_confirmed_nor_reminded_of(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris, state="requested")), purpose=purpose)
    assert why_not(message, practice) == "state_requested"


def test_a_request_is_not_acknowledged_after_it_was_confirmed(
    practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris)), purpose="requested")
    assert why_not(message, practice) == "state_confirmed"


def test_the_attendance_is_read_anew_each_time(practice: Practice, iris: Counselor) -> None:
    message = factories.message(of(booked(iris)))
    subject = AttendanceLetters(practice)
    subject.read([message])
    assert subject.still_due(message) is None
    Attendance.objects.update(state="cancelled", cancelled_at=NOW)
    assert subject.still_due(message) == "cancelled"


def test_an_attendance_that_is_gone_or_anothers_has_no_letters(
    practice: Practice, iris: Counselor
) -> None:
    message = factories.message(of(booked(iris, factories.ana(), factories.ben())))
    message.person = factories.ben()
    assert why_not(message, practice) == "no_attendance"


def test_twenty_letters_take_one_statement_together_and_one_each(
    practice: Practice, iris: Counselor, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    attendance = of(booked(iris))
    for minutes in range(20):
        factories.message(attendance, purpose=f"reminder-{minutes}")
    messages = list(Message.objects.select_related("person__key"))
    subject = AttendanceLetters(practice)
    with django_assert_num_queries(1 + 20):
        subject.read(messages)
        for message in messages:
            assert subject.still_due(message) is None
            subject.render(message)


# --- what it says --------------------------------------------------------------------------------


def test_it_is_addressed_to_its_person_under_the_neutral_name(
    practice: Practice, iris: Counselor
) -> None:
    letter = letter_of("confirmation", iris, practice, factories.ana())
    assert (letter.to, letter.sender_name) == ("ana@example.org", "Elm Street")
    message = Message.objects.get()
    assert letter.message_id == f"{message.pk}@elm.example.org"


def test_each_reads_the_time_of_their_own_clock_with_the_zone_in_words(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris, factories.ana(), factories.chris(), place="video")
    ana = written(of(appointment), "confirmation", practice)
    chris = written(of(appointment, "partner"), "invitation", practice)
    assert "Thursday, 14 January 2027, 10:00–10:50\nTime zone: New York time" in ana.text
    assert "Jueves 14 de enero de 2027, 16:00–16:50\nZona horaria: hora de Madrid" in chris.text
    assert (ana.language, chris.language) == ("en", "es")
    assert chris.subject == "Su cita: por favor, responda"


def test_who_comes_from_elsewhere_also_reads_the_clock_of_the_place(
    practice: Practice, iris: Counselor
) -> None:
    letter = letter_of("confirmation", iris, practice, factories.chris())
    assert "En el reloj de allí: jueves 14 de enero de 2027, 10:00 (hora de New York)" in (
        letter.text
    )


def test_a_language_that_we_do_not_speak_falls_back_to_the_practices(
    practice: Practice, iris: Counselor
) -> None:
    practice.language = "es"
    letter = letter_of("confirmation", iris, practice, factories.ana(language="tlh"))
    assert letter.language == "es"


def test_writing_leaves_the_senders_own_language_as_it_was(
    practice: Practice, iris: Counselor
) -> None:
    before = translation.get_language()
    letter_of("confirmation", iris, practice, factories.chris())
    assert translation.get_language() == before


@pytest.mark.parametrize("place", Service.Place.values)
def test_the_place_is_told(place: str, practice: Practice, iris: Counselor) -> None:
    iris.video_url = "https://meet.example.org/room-7"
    iris.save()
    letter = written(of(booked(iris, place=place)), "confirmation", practice)
    told = {
        "address": "12 Lantern Street, second floor",
        "phone": "We call you.",
        "video": "https://meet.example.org/room-7",
    }
    assert told[place] in letter.text
    assert told[place] in letter.html


def test_the_link_leads_to_the_own_page_at_the_configured_address(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris, factories.ana(), factories.ben())
    for role, purpose in (("booker", "confirmation"), ("partner", "invitation")):
        attendance = of(appointment, role)
        letter = written(attendance, purpose, practice)
        link = f"https://elm.example.org/a/{attendance.token}/"
        assert re.findall(r"https?://\S+", letter.text) == [link]
        assert f'href="{link}"' in letter.html


@pytest.mark.parametrize("purpose", GONE)
def test_the_news_of_an_end_has_no_link_to_press(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    letter = letter_of(purpose, iris, practice, factories.ana())
    assert "/a/" not in letter.text + letter.html


def test_until_when_it_can_be_changed_is_told_only_while_it_can(
    practice: Practice, iris: Counselor
) -> None:
    attendance = of(booked(iris))
    assert "until Wednesday, 13 January 2027, 10:00" in (
        written(attendance, "confirmation", practice).text
    )
    practice.cutoff_minutes = 30 * 24 * 60
    assert "until" not in written(attendance, "invitation", practice).text


def test_text_of_the_practice_is_text_in_both_forms(practice: Practice, iris: Counselor) -> None:
    appointment = booked(iris)
    appointment.service.place_text = "A & B <script>alert(1)</script> {{ 7*7 }} 100% %s"
    appointment.service.save()
    letter = written(of(appointment), "confirmation", practice)
    assert appointment.service.place_text in letter.text
    assert "<script" not in letter.html
    assert "A &amp; B &lt;script&gt;" in letter.html


def test_a_control_character_in_an_old_name_of_the_practice_blocks_nothing(
    practice: Practice, iris: Counselor
) -> None:
    practice.neutral_name = "Elm\r\nBcc: eve@example.org\x1e"
    letter = letter_of("confirmation", iris, practice, factories.ana())
    assert letter.sender_name == "Elm  Bcc: eve@example.org"


@pytest.mark.parametrize("name", ["Anna\nBcc: b@example.org", "Anna\x1e\x1eBody", "100% %s %(x)s"])
def test_what_a_client_is_called_is_in_no_letter_so_that_it_can_break_none(
    name: str, practice: Practice, iris: Counselor
) -> None:
    letter = letter_of("confirmation", iris, practice, factories.ana(name=name))
    assert "Anna" not in letter.text + letter.html + letter.subject
    assert "100%" not in letter.text + letter.html + letter.subject


# --- the calendar entry --------------------------------------------------------------------------


def entry(letter: Letter) -> Any:
    (file,) = letter.attachments
    assert (file.filename, file.media_type) == ("appointment.ics", "text/calendar")
    calendar: Any = Calendar.from_ical(file.content)
    assert str(calendar["METHOD"]) == file.method
    return calendar


def test_book_move_cancel_is_one_entry_whose_number_rises_and_that_ends(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris)
    steps = []
    for purpose, sequence, cancelled_at in (
        ("confirmation", 0, None),
        ("moved", 1, None),
        ("moved", 2, None),
        ("cancelled", 3, NOW),
    ):
        state = "cancelled" if cancelled_at else "confirmed"
        Appointment.objects.update(sequence=sequence, state=state, cancelled_at=cancelled_at)
        attendance = of(appointment)
        calendar = entry(written(attendance, purpose, practice))
        (event,) = calendar.events
        steps.append((str(calendar["METHOD"]), str(event["UID"]), int(event["SEQUENCE"])))
    assert len({uid for _, uid, _ in steps}) == 1
    assert [method for method, _, _ in steps] == ["REQUEST", "REQUEST", "REQUEST", "CANCEL"]
    numbers = [number for _, _, number in steps]
    assert numbers == sorted(set(numbers))


def test_who_leaves_alone_gets_an_end_that_is_newer_than_the_beginning(
    practice: Practice, iris: Counselor
) -> None:
    attendance = of(booked(iris, factories.ana(), factories.ben()))
    first = entry(written(attendance, "confirmation", practice)).events[0]
    Attendance.objects.filter(pk=attendance.pk).update(state="cancelled", cancelled_at=NOW)
    last = entry(written(attendance, "cancelled", practice)).events[0]
    assert int(last["SEQUENCE"]) > int(first["SEQUENCE"])
    assert str(last["STATUS"]) == "CANCELLED"


def test_it_names_only_its_own_reader_and_nothing_of_what_it_is(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris, factories.ana(), factories.ben())
    letter = written(of(appointment, "partner"), "invitation", practice)
    calendar = entry(letter)
    (event,) = calendar.events
    assert str(event["SUMMARY"]) == "Appointment"
    assert str(event["ATTENDEE"]) == "mailto:ben@example.org"
    assert str(event["ORGANIZER"]) == "mailto:practice@elm.example.org"
    assert event.start == factories.at(3, "10:00")
    assert "DESCRIPTION" not in event
    text = letter.attachments[0].content.decode()
    assert not neutral.reveals(text)
    assert "ana@" not in text
    assert "/a/" not in text


def test_the_two_entries_of_a_couple_have_nothing_in_common_that_links_them(
    practice: Practice, iris: Counselor
) -> None:
    appointment = booked(iris, factories.ana(), factories.ben())
    uids = {
        str(entry(written(of(appointment, role), purpose, practice)).events[0]["UID"])
        for role, purpose in (("booker", "confirmation"), ("partner", "invitation"))
    }
    assert len(uids) == 2
    assert not any(str(appointment.pk) in uid for uid in uids)


@pytest.mark.parametrize("purpose", ["reminder-2880", "requested", "declined"])
def test_no_entry_comes_with_what_changes_no_calendar(
    purpose: str, practice: Practice, iris: Counselor
) -> None:
    assert letter_of(purpose, iris, practice, factories.ana()).attachments == ()


def test_a_second_copy_is_the_same_to_the_byte(practice: Practice, iris: Counselor) -> None:
    message = factories.message(of(booked(iris)), purpose="confirmation")
    copies = []
    for _ in range(2):
        subject = AttendanceLetters(practice)
        subject.read([message])
        copies.append(subject.render(message))
    assert copies[0] == copies[1]


def test_the_file_of_the_page_is_the_same_entry(practice: Practice, iris: Counselor) -> None:
    attendance = of(booked(iris))
    mailed = entry(written(attendance, "confirmation", practice)).events[0]
    calendar: Any = Calendar.from_ical(letters.calendar_bytes(attendance, NOW))
    (event,) = calendar.events
    assert str(calendar["METHOD"]) == "PUBLISH"
    assert event["UID"] == mailed["UID"]
    assert event.start.astimezone(ZoneInfo("UTC")) == factories.at(3, "10:00")
    assert "ATTENDEE" not in event


# --- L11: messages reveal nothing ----------------------------------------------------------------


class _Words(HTMLParser):
    """What a mail program shows of an HTML form, and where it would ask elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.text: list[str] = []
        self.tags: set[str] = set()
        self.sources: list[str | None] = []

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.sources += [value for name, value in attrs if name in {"src", "background"}]


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_letter_reveals_nothing(
    purpose: str, language: str, practice: Practice, iris: Counselor
) -> None:
    """Subject, sender, both forms and the calendar entry, in every language."""
    letter = letter_of(purpose, iris, practice, factories.ana(language=language))
    html = _Words()
    html.feed(letter.html)
    everything = "\n".join(
        [
            letter.subject,
            letter.sender_name,
            letter.text,
            " ".join(html.text),
            *(file.content.decode() for file in letter.attachments),
            *(file.filename for file in letter.attachments),
        ]
    )
    found = neutral._REVEALING.search(everything)
    assert not found, found
    for canary in ("Canary", "Iris", "Alder", "Ana Alder", "Couple", "Elm Street Practice"):
        assert canary not in everything, canary
    assert not html.sources
    assert html.tags.isdisjoint({"img", "script", "link", "iframe", "style"})


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_letter_is_whole_in_spanish(purpose: str, practice: Practice, iris: Counselor) -> None:
    english = letter_of(purpose, iris, practice, factories.ana(language="en"))
    Appointment.objects.update(state="cancelled", cancelled_at=NOW)
    other = factories.counselor("june")
    Service.objects.update(slug="other")
    spanish = letter_of(purpose, other, practice, factories.ana(language="es"))
    shared = set(english.text.splitlines()) & set(spanish.text.splitlines())
    own = {"", "--", "Elm Street", "+1 201 555 0199", "12 Lantern Street, second floor"}
    assert shared <= own
    assert english.subject != spanish.subject


@pytest.mark.parametrize(
    "text",
    [
        "Elm Couples Therapy",
        "Praxis für Paartherapie",
        "Terapia de pareja Olmo",
        "https://meet.example/iris-psychotherapy",
    ],
)
def test_a_name_or_place_that_reveals_something_stays_out(
    text: str, practice: Practice, iris: Counselor
) -> None:
    practice.neutral_name = text
    iris.video_url = text
    iris.save()
    letter = written(of(booked(iris, place="video")), "confirmation", practice)
    assert letter.sender_name == "Appointments"
    assert text not in letter.text + letter.html + letter.attachments[0].content.decode()
    assert "You find the place on your page." in letter.text


@pytest.mark.parametrize(
    "text", ["12 Lantern Street", "Fundamental House", "Elm Street", "Council Road", "Obsessions"]
)
def test_harmless_texts_pass(text: str) -> None:
    assert not neutral.reveals(text)


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("language", ["en", "es"])
def test_what_a_locked_screen_shows_says_that_it_is_an_appointment_and_no_more(
    purpose: str, language: str, practice: Practice, iris: Counselor
) -> None:
    letter = letter_of(purpose, iris, practice, factories.ana(language=language))
    preview = f"{letter.subject} {letter.text}"[:60]
    assert not neutral.reveals(preview)
    assert re.search("appointment|cita", preview, re.IGNORECASE)


def test_the_due_moment_of_a_reminder_does_not_show_in_its_template_name() -> None:
    message = Message(purpose="reminder-10080")
    assert letters.purpose(message) == "reminder"


def test_zone_words_name_a_city_in_the_readers_language() -> None:
    assert letterhead.zone_words("America/Argentina/Buenos_Aires") == "Buenos Aires time"
    with translation.override("es"):
        assert letterhead.zone_words("Europe/Madrid") == "hora de Madrid"
    assert letterhead.zone_words("UTC") == "UTC"


def test_half_hour_zones_and_both_sides_of_midnight(practice: Practice, iris: Counselor) -> None:
    person = factories.ana(zone="Asia/Kolkata")
    letter = letter_of("reminder-2880", iris, practice, person)
    assert "Thursday, 14 January 2027, 20:30–21:20" in letter.text
    assert timedelta(hours=10, minutes=30) == (
        factories.at(3, "20:30") - factories.at(3, "20:30", "Asia/Kolkata")
    )
