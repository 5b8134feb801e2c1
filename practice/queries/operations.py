"""What an operator watches, in one statement and without a word about any person."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_SNAPSHOT = """
SELECT (SELECT coalesce(jsonb_object_agg(state, n), '{}')
          FROM (SELECT state, count(*) AS n FROM duet_clients_message GROUP BY state) by_state),
       (SELECT coalesce(extract(epoch FROM %(now)s - min(next_try_at)), 0)::float8
          FROM duet_clients_message
         WHERE state IN ('planned', 'claimed', 'sending', 'uncertain')
           AND next_try_at <= %(now)s),
       (SELECT count(*) FROM duet_practice_appointment
         WHERE state = 'held' AND held_until > %(now)s)"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How many messages are in each state, how long the oldest due one waits, live holds."""

    messages: dict[str, int]
    oldest_due_seconds: float
    holds: int


def snapshot(now: datetime) -> Snapshot:
    """Count the ledger and the holds."""
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT, {"now": now})
        messages, oldest, holds = cursor.fetchone() or ("{}", 0.0, 0)
    return Snapshot(json.loads(messages), oldest, holds)
