"""A stolen dump holds nothing of what anybody answered, and neither do logs, Redis or errors."""

import logging
from io import StringIO

import pytest
from django.apps import apps
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from config import logs
from intake.actions import answering
from intake.models import Flag, Response, ReviewStep
from tests import canaries
from tests import factories as make
from tests.canaries import Cast
from tests.intake import browsing, filling
from tests.test_canaries import in_redis

pytestmark = pytest.mark.django_db

PLANTED = {
    *(canaries.CHECK, canaries.CYCLE, canaries.FIRST, canaries.MOODS, canaries.OWN),
    *(canaries.BOTHS, canaries.UNSENT, canaries.NOTE, canaries.SIGNED, canaries.WHY),
    canaries.TOLD,
}


@pytest.fixture
def cast(monkeypatch: pytest.MonkeyPatch) -> Cast:
    monkeypatch.setattr(timezone, "now", lambda: make.NOW)
    return canaries.populate()


def as_text(value: object) -> str:
    return bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)


def in_tables() -> str:
    """Every row of every table of ours as PostgreSQL writes it, and its bytes as text."""
    found: list[str] = []
    for model in apps.get_models():
        if not model._meta.app_label.startswith("duet_"):
            continue
        table = model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT one.*, one::text FROM "{table}" AS one')
            for values in cursor.fetchall():
                found += map(as_text, values)
    return "\n".join(found)


def test_the_tables_hold_no_word_of_anybody(cast: Cast) -> None:
    text = in_tables()
    assert "private-check" in text, "the rows are read at all"
    assert {word for word in cast.found_in(text) if word[1] in PLANTED} == set()
    assert [who for who, one in cast.intakes.items() if one.token in text] == []


def test_with_the_keys_each_word_is_there(cast: Cast) -> None:
    """The control: what was planted is what the application reads back."""
    opened = [one.answers for one in Response.objects.all()]
    opened += [str(one.note) for one in Flag.objects.all()]
    opened += [f"{one.reason} {one.words}" for one in ReviewStep.objects.all()]
    opened += [
        str(one.signed_name) for person in cast.persons.values() for one in person.agreements.all()
    ]
    found = cast.found_in("\n".join(opened))
    assert {what for _, what in found} >= PLANTED


def test_the_same_look_finds_what_lies_open(cast: Cast) -> None:
    in_bytes, in_words = canaries.canary("ana", canaries.CHECK), canaries.canary("a", canaries.WHY)
    with connection.cursor() as cursor:
        note = "UPDATE duet_intake_flag SET note = %s WHERE note IS NOT NULL"
        cursor.execute(note, [in_bytes.encode()])
        cursor.execute("UPDATE duet_intake_agreement SET text = %s", [in_words])
    assert {("ana", canaries.CHECK), ("a", canaries.WHY)} <= cast.found_in(in_tables())


# --- on the way ----------------------------------------------------------------------------------


def test_logs_redis_and_errors_hold_no_word_that_was_typed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over the pages and as a program sends it: kept, refused, and when the site itself fails."""
    monkeypatch.setattr(timezone, "now", lambda: make.NOW)
    settings.DUET = {**settings.DUET, "THROTTLE": True}
    cache.clear()
    make.practice()
    make.instrument()
    ana = make.ana()
    intake = filling.give(make.case(ana), ana, "mood")
    given = filling.assignment(intake, "mood")
    words = canaries.canary("ana", canaries.CHECK)
    written, handler = StringIO(), logging.StreamHandler()
    handler.setStream(written)
    handler.setFormatter(logs.formatter("json"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        client = browsing.come_in(intake, Client(raise_request_exception=False))
        browsing.fill(client, given, filling.but(filling.first, words=words))
        assert words in Response.objects.get().answers
        address, own = f"/i/{given.pk}/3/", {"own": str(intake.pk), "revision": "0"}
        pages = [
            client.get(f"/i/{words}/"),
            client.post(address, own | {"q-words": f"{words}\x00"}),
            client.post(f"{address}save/", own | {f"q-{words}": words}),
            client.post(f"{address}save/", f'{{"q-words": "{words}', "application/json"),
            Client().post(address, own | {"q-words": words}),
        ]

        def fail(**_: object) -> None:
            raise ValueError(words)

        monkeypatch.setattr(answering, "save", fail)
        broken = client.post(address, own | {"q-words": words})
        assert broken.status_code == 500
        assert browsing.send(client, given).status_code == 302
    finally:
        root.removeHandler(handler)
    assert '"status": 500' in written.getvalue()
    found = Cast(other_words={intake.token: ("ana", canaries.TOKEN)}).found_in
    assert found(written.getvalue()) == set()
    kept = in_redis(settings.REDIS_URL, settings.REDIS_PREFIX)
    assert "limit:" in kept
    assert found(kept) == set()
    # What was refused stands on its own page again, and nowhere else.
    assert [bool(found(page.content.decode())) for page in pages] == [False, True, *[False] * 3]
    assert found(broken.content.decode() + str(broken.headers)) == set()
