"""Does every sealed value open? All tables of the site are read, whichever app they belong to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, QuerySet

from clients.models import DataKey, SealedText
from clients.rules.envelope import Erased, KeyRefused, Unreadable

_BATCH = 1_000

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A value that doesn't open, although nobody erased it."""

    table: str
    column: str
    row: UUID


def damaged(progress: Progress | None = None) -> Iterator[Damaged]:
    """Every sealed value, and every data key, that was changed, moved or lost its key.

    Read in portions, so that a large practice doesn't stand in memory.
    """
    tables = sealed_columns()
    total = DataKey.objects.count() + sum(_rows(model).count() for model in tables)
    done = 0
    for done, found in enumerate(_tried(tables), start=1):
        yield from found
        if progress and (done % _BATCH == 0 or done == total):
            progress(done, max(done, total))


def sealed_columns() -> dict[type[Model], list[str]]:
    """Which columns of which tables are sealed."""
    found = {
        model: [field.attname for field in model._meta.fields if isinstance(field, SealedText)]
        for model in apps.get_models()
    }
    return {model: columns for model, columns in found.items() if columns}


def _tried(tables: dict[type[Model], list[str]]) -> Iterator[list[Damaged]]:
    for key in DataKey.objects.iterator(chunk_size=_BATCH):
        yield [] if _opens(key.plain) else [Damaged(key._meta.db_table, "wrapped", key.pk)]
    for model, columns in tables.items():
        for row in _rows(model).iterator(chunk_size=_BATCH):
            yield [
                Damaged(model._meta.db_table, column, row.pk)
                for column in columns
                if not _opens(partial(getattr, row, column))
            ]


def _rows(model: type[Model]) -> QuerySet[Model]:
    # Without a name, all that a row can't be without comes along: the key is somewhere among it.
    return model._base_manager.select_related()


def _opens(read: Callable[[], Any]) -> bool:
    try:
        read()
    except Erased:
        return True
    except (Unreadable, KeyRefused):
        return False
    return True
