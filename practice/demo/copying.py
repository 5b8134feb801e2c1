"""Write many rows at once with COPY; sealed columns are sealed on the way, as a save would."""

from collections.abc import Callable, Iterable
from functools import cache, partial
from operator import attrgetter
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections, models

# Their values go to the driver as they are; asking the field about each takes most of the time.
_PLAIN: Final = (
    models.UUIDField,
    models.CharField,
    models.TextField,
    models.IntegerField,
    models.BooleanField,
    models.DateField,
    models.ForeignKey,
)


def copy_in(rows: Iterable[models.Model]) -> int:
    """Insert new rows of one model; returns how many. Constraints and triggers hold as ever."""
    rows = list(rows)
    if not rows:
        return 0
    connection = connections[DEFAULT_DB_ALIAS]
    quote = connection.ops.quote_name
    fields = rows[0]._meta.concrete_fields
    columns = ", ".join(quote(str(field.column)) for field in fields)
    statement = f"COPY {quote(rows[0]._meta.db_table)} ({columns}) FROM STDIN"
    readers = _readers(type(rows[0]))
    with connection.cursor() as cursor, cursor.cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row([read(row) for read in readers])
    return len(rows)


@cache
def _readers(model: type[models.Model]) -> list[Callable[[models.Model], Any]]:
    """For each column a function from a row to what the driver takes."""
    return [
        attrgetter(field.attname) if isinstance(field, _PLAIN) else partial(_prepared, field)
        for field in model._meta.concrete_fields
    ]


def _prepared(field: "models.Field[Any, Any]", row: models.Model) -> Any:
    connection = connections[DEFAULT_DB_ALIAS]
    return field.get_db_prep_save(field.pre_save(row, add=True), connection)
