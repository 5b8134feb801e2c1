"""Sessions in PostgreSQL, under keys that can only be keys.

A cookie may hold anything, a NUL among it, which a driver refuses with an error of its own: what
isn't made of letters and digits was never one of our keys.
"""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's own store, for well-formed keys only."""

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key) and str(key).isascii() and str(key).isalnum() and len(str(key)) >= 8
