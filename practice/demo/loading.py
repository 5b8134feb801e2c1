"""Loads the demo practice: the one named way around the actions, for rows by the thousand.

What the actions would have written is written here too, keys, fingerprints, ledger and audit
entries, so that the auditor finds nothing amiss afterwards.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection, transaction

from clients.actions import audit, people
from clients.models import AuditEntry, Member, Person
from clients.queries import keys
from clients.rules.actors import Actor
from practice.demo import cast, drawing, setting
from practice.demo.cases import Writer
from practice.demo.copying import copy_in
from practice.models import Practice

LOADED: Final = "demo.loaded"
_LOCK: Final = 7_438_002
_BATCH: Final = 250

Progress = Callable[[int, int], None]


class NotOurs(Exception):
    """The database holds something that the demo didn't load; the text is one sentence."""


class AlreadyLoaded(Exception):
    """The demo practice is there already."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was loaded."""

    cases: int
    persons: int
    appointments: int
    messages: int


def is_loaded() -> bool:
    """Whether this database holds the demo practice."""
    return AuditEntry.objects.filter(verb=LOADED).exists()


def check_may_load() -> None:
    """Refuses (NotOurs) a database with a practice of its own, or with users named like ours."""
    if is_loaded():
        return
    if Practice.objects.exists() or Person.objects.exists() or Member.objects.exists():
        raise NotOurs("This database holds a practice that isn't the demo: nothing was changed.")
    names = [card.username for card in cast.MEMBERS]
    if get_user_model().objects.filter(username__in=names).exists():
        raise NotOurs(
            "This database has users with the names of the demo's members: nothing was changed."
        )


@transaction.atomic
def load(
    *,
    cases: int,
    reset: bool,
    by: Actor,
    now: datetime,
    progress: Progress = lambda done, total: None,  # noqa: ARG005
) -> Counts:
    """Load the demo practice with so many cases around `now`, all of it or nothing.

    Refuses (AlreadyLoaded) a second load unless `reset` empties the first one, and (NotOurs) a
    database that holds anything else.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    check_may_load()
    if is_loaded():
        if not reset:
            raise AlreadyLoaded
        _empty()
    counts = _load(cases, by, now, progress)
    audit.record(
        verb=LOADED,
        subject_kind="practice",
        subject_id=None,
        by=by,
        now=now,
        detail={"cases": counts.cases, "appointments": counts.appointments},
    )
    return counts


def _load(cases: int, by: Actor, now: datetime, progress: Progress) -> Counts:
    people.ensure_index_key(by=by, now=now)
    diary = drawing.draw(count=cases, now=now)
    writer = Writer(setting.set_up(diary, by, now), keys.index_key(), by, now)
    drafts = iter(diary.cases)
    progress(done := 0, cases)
    with _left_alone_by_the_collector():
        while batch := list(islice(drafts, _BATCH)):
            for draft in batch:
                writer.add(draft)
            for rows in writer.take_rows():
                copy_in(rows)
            done += len(batch)
            progress(done, cases)
    _analyze()
    return Counts(cases, *writer.counts())


@contextmanager
def _left_alone_by_the_collector() -> Iterator[None]:
    """What is drawn lives until the end: to look through it after every batch takes a tenth."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _tables() -> Sequence[str]:
    return [
        model._meta.db_table
        for label in ("duet_clients", "duet_intake", "duet_practice")
        for model in apps.get_app_config(label).get_models()
    ]


def _empty() -> None:
    """Remove all that the three apps hold, and the users who are members."""
    users = list(Member.objects.values_list("user", flat=True))
    tables = ", ".join(connection.ops.quote_name(table) for table in _tables())
    with connection.cursor() as cursor:
        # What waits to be checked at the end of the transaction stands in TRUNCATE's way.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(f"TRUNCATE {tables}")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
    get_user_model().objects.filter(pk__in=users).delete()


def _analyze() -> None:
    """Tell the planner how large the tables are now; it would find out minutes later."""
    with connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f"ANALYZE {connection.ops.quote_name(table)}")
