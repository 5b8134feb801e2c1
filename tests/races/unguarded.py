"""The site as it would be if the guard inserted plainly: for the controls, and nothing else."""

from typing import Any

from django.db import connection

from config.wsgi import application
from practice.actions import guard
from practice.models import Appointment

__all__ = ["application"]


def insert_plainly(appointment: Appointment) -> bool:
    """The row as `save` writes it; whatever is in the way raises."""
    fields = Appointment._meta.concrete_fields
    values: list[Any] = [
        one.get_db_prep_save(one.pre_save(appointment, add=True), connection) for one in fields
    ]
    columns = ", ".join(connection.ops.quote_name(str(one.column)) for one in fields)
    marks = ", ".join(["%s"] * len(fields))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {Appointment._meta.db_table} ({columns}) VALUES ({marks})",
            values,
        )
    appointment._state.adding = False
    return True


guard._insert = insert_plainly
