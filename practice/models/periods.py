"""Periods that PostgreSQL can trust: half-open, finite, never empty."""

from datetime import UTC, datetime

from django.db import models
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from django.db.models import Q

# Wide enough for any diary; what lies within it can't be infinite.
DIARY = DateTimeTZRange(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def finite(table: str, column: str) -> models.CheckConstraint:
    """An empty or an infinite range slips past an exclusion constraint: refuse both."""
    return models.CheckConstraint(
        name=f"duet_{table}_{column}_finite",
        condition=Q(**{f"{column}__isempty": False, f"{column}__contained_by": DIARY}),
    )
