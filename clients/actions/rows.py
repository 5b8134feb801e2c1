"""New rows of several tables in one statement: what belongs together costs one round trip."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.psycopg_any import Jsonb
from django.db.models import Model
from psycopg import Binary
from psycopg.types.range import Range


def insert(rows: Iterable[Model]) -> None:
    """Insert rows of any tables, in any order: foreign keys are checked when the transaction ends.

    A step inside an action's transaction. Refuses (IntegrityError) as the tables do; then nothing
    of it is stored.
    """
    by_model: dict[type[Model], list[Model]] = {}
    for row in rows:
        by_model.setdefault(type(row), []).append(row)
    if not by_model:
        return
    # Named once: `django.db.connection` looks itself up again for every one of some 200 values.
    connection = connections[DEFAULT_DB_ALIAS]
    # One parameter for each table: with one for each value, taking the statement apart on our
    # side takes longer than the server needs for all of it.
    statement = ", ".join(
        f"t{number} AS (INSERT INTO {table}"  # noqa: S608 - a table's name
        f" SELECT * FROM json_populate_recordset(NULL::{table}, %s::json))"
        for number, table in enumerate(
            connection.ops.quote_name(model._meta.db_table) for model in by_model
        )
    )
    told = [
        json.dumps([_told(row, connection) for row in of_model], default=_text)
        for of_model in by_model.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {statement} SELECT", told)
    for of_model in by_model.values():
        for row in of_model:
            row._state.adding, row._state.db = False, connection.alias


def _told(row: Model, connection: BaseDatabaseWrapper) -> dict[str, Any]:
    return {
        str(field.column): field.get_db_prep_save(field.pre_save(row, add=True), connection)
        for field in row._meta.concrete_fields
    }


def _text(value: object) -> object:
    """A value that JSON doesn't know, as PostgreSQL reads it."""
    if isinstance(value, Binary):
        return f"\\x{bytes(value.obj).hex()}"
    if isinstance(value, Jsonb):
        return value.obj
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID | Range):
        return str(value)
    raise TypeError(f"There is no way to write {type(value).__name__} yet.")
