"""Sessions in PostgreSQL, under keys that can only be keys, with two ends for members.

A cookie may hold anything, a NUL among it, which a driver refuses with an error of its own: what
isn't made of letters and digits was never one of our keys.

A member's session ends after half an hour without use and after twelve hours in any case; both are
read from its row, so that a stolen cookie is worth no more. What a page asks for by itself (a view
marked `background`) is no use of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.contrib.sessions.models import Session as DjangoSession
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from clients.rules.browsers import browser_words
from config.models import Session

IDLE: Final = timedelta(minutes=30)
LONGEST: Final = timedelta(hours=12)
# A use is written down when the one before was this long ago: a click is no statement more.
_GRAIN: Final = timedelta(minutes=1)
_BROWSER: Final = "browser"
# So many expired rows go in one statement, and so many statements in one run.
_PORTION: Final = 1_000
_PORTIONS: Final = 50

V = TypeVar("V", bound=Callable[..., HttpResponseBase])


def is_over(*, started_at: datetime, seen_at: datetime, now: datetime) -> bool:
    """Whether a member's session has come to one of its two ends."""
    return now - seen_at >= IDLE or now - started_at >= LONGEST


class SessionStore(db.SessionStore):
    """Django's own store, for well-formed keys only; a member's session that is over is none."""

    _user_id: str | None = None
    _started_at: datetime | None = None
    _seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _validate_session_key(self, key: str | None) -> bool:
        return bool(key) and str(key).isascii() and str(key).isalnum() and len(str(key)) >= 8

    def _get_session_from_db(self) -> Session | None:
        row: Session | None = super()._get_session_from_db()  # type: ignore[misc]
        if row is None:
            return None
        if row.user_id is not None:
            if is_over(started_at=row.started_at, seen_at=row.seen_at, now=timezone.now()):
                row.delete()
                self._session_key = None
                return None
            self._user_id = str(row.user_id)
        self._started_at, self._seen_at = row.started_at, row.seen_at
        return row

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        """The row to be saved; it begins when somebody else, or anybody, comes to own it."""
        user_id = data.get(SESSION_KEY)
        if self._started_at is None or self._seen_at is None or user_id != self._user_id:
            self._user_id = user_id
            self._started_at = self._seen_at = timezone.now()
        row: Session = super().create_model_instance(data)  # type: ignore[assignment]
        row.user_id = user_id
        row.started_at, row.seen_at = self._started_at, self._seen_at
        return row

    def begin_anew(self) -> None:
        """Count from now: somebody has proved who they are, the same one as before perhaps."""
        self._started_at = self._seen_at = None
        self.modified = True

    def flush(self) -> None:
        super().flush()
        self._user_id = self._started_at = self._seen_at = None

    def note_use(self, now: datetime) -> None:
        """Write down that a member used the session now; a session that nobody read has no use."""
        if self._user_id is None or self._seen_at is None or now - self._seen_at < _GRAIN:
            return
        self._seen_at = now
        Session.objects.filter(session_key=self.session_key).update(seen_at=now)


def background(view: V) -> V:
    """The view answers what a page asks for by itself: it prolongs nobody's session."""
    view.background = True  # type: ignore[attr-defined]
    return view


class Use:
    """Notes that a session was used, unless the view is one of the background.

    The view says so, not the request: nothing that a browser sends makes a difference.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if isinstance(request.session, SessionStore) and not hasattr(request, "is_background"):
            request.session.note_use(timezone.now())
        return response

    def process_view(
        self,
        request: HttpRequest,
        view_func: Callable[..., HttpResponseBase],
        view_args: tuple[object, ...],  # noqa: ARG002 - Django passes them
        view_kwargs: dict[str, object],  # noqa: ARG002
    ) -> None:
        if getattr(view_func, "background", False):
            request.is_background = True  # type: ignore[attr-defined]


# --- a member's own list -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Open:
    """One open session of a member, as the list shows it."""

    key: str
    browser: str
    started_at: datetime
    seen_at: datetime
    is_current: bool


def signed_in(request: HttpRequest) -> None:
    """Begin the member's time anew, and keep which browser it is, in words that they know it by."""
    if isinstance(request.session, SessionStore):
        request.session.begin_anew()
    request.session[_BROWSER] = browser_words(request.headers.get("User-Agent", ""))


def open_of(user: AbstractBaseUser, *, current: str | None, now: datetime) -> list[Open]:
    """A user's open sessions, the one used last first."""
    rows = Session.objects.filter(user=user.pk, expire_date__gt=now).order_by("-seen_at")
    store = SessionStore()
    return [
        Open(
            row.session_key,
            str(store.decode(row.session_data).get(_BROWSER, "")),
            row.started_at,
            row.seen_at,
            row.session_key == current,
        )
        for row in rows
        if not is_over(started_at=row.started_at, seen_at=row.seen_at, now=now)
    ]


def end(user: AbstractBaseUser, *, keep: str | None = None, only: str | None = None) -> int:
    """End a user's sessions, all but `keep` or `only` one of them; returns how many ended."""
    rows = Session.objects.filter(user=user.pk)
    if keep:
        rows = rows.exclude(session_key=keep)
    if only is not None:
        rows = rows.filter(session_key=only)
    return rows.delete()[0]


def forget(now: datetime) -> int:
    """Delete expired rows, also those of Django's own table, in portions; returns how many."""
    return _forget(Session, now) + _forget(DjangoSession, now)


def _forget(model: type[AbstractBaseSession], now: datetime) -> int:
    gone = 0
    for _ in range(_PORTIONS):
        expired = model.objects.filter(expire_date__lt=now).values("pk")[:_PORTION]
        portion, _kinds = model.objects.filter(pk__in=expired).delete()
        gone += portion
        if portion < _PORTION:
            break
    return gone
