"""What a visitor's browser is remembered by between two pages: kept in the session, on POST only.

A GET reads the session and never writes it, so that a link opened by a scanner leaves no row.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.http import HttpRequest

from clients.actions import access as actions
from clients.models import ClientSession
from clients.queries import access
from clients.rules.actors import Actor
from intake.views import visit as filling_in
from practice.models import Attendance

_ZONE, _HOLD, _BOOKED, _OWN = "duet_zone", "duet_hold", "duet_booked", "duet_own"
# How long the page without the token stays open after the last button, and how many forms a
# browser can have sent.
OWN_PAGE = timedelta(minutes=30)
_FORMS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """The one hold of this browser, and the choice that it was made with."""

    token: str
    service: str
    counselor: str
    start: str
    who: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form that was sent became."""

    attendance: UUID
    person: UUID
    partner: str
    at: datetime


def zone(session: SessionBase) -> str:
    """The zone that the visitor chose, or an empty text."""
    chosen = session.get(_ZONE, "")
    return chosen if isinstance(chosen, str) else ""


def keep_zone(session: SessionBase, name: str) -> None:
    """Remember the zone that the visitor chose, unless it is remembered already."""
    if name and session.get(_ZONE) != name:
        session[_ZONE] = name


def hold(session: SessionBase) -> Kept | None:
    """The hold of this browser, whether it still lives or not."""
    stored = session.get(_HOLD)
    return Kept(**stored) if stored else None


def keep_hold(session: SessionBase, kept: Kept) -> None:
    session[_HOLD] = asdict(kept)


def drop_hold(session: SessionBase) -> None:
    """Forget the hold: it was booked, or given back."""
    session.pop(_HOLD, None)


def keep_sent(session: SessionBase, form: str, sent: Sent) -> None:
    """Remember what the form with this mark became, so that sending it twice is sending it once."""
    forms: dict[str, Any] = dict(session.get(_BOOKED, {}))
    forms[form] = {
        "attendance": str(sent.attendance),
        "person": str(sent.person),
        "partner": sent.partner,
        "at": sent.at.isoformat(),
    }
    session[_BOOKED] = dict(list(forms.items())[-_FORMS_KEPT:])


def sent(session: SessionBase, form: str | None = None) -> Sent | None:
    """What the form with this mark became; without a mark the last one sent."""
    forms: dict[str, Any] = session.get(_BOOKED, {})
    stored = forms.get(form) if form else next(reversed(forms.values()), None)
    if stored is None:
        return None
    return Sent(
        UUID(stored["attendance"]),
        UUID(stored["person"]),
        stored["partner"],
        datetime.fromisoformat(stored["at"]),
    )


def as_stored(session: SessionBase) -> SessionBase:
    """The session as the database has it now: what a request at the same moment wrote."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    fresh: SessionBase = store(session.session_key)
    return fresh


def keep_own(
    session: SessionBase,
    attendance: Attendance,
    now: datetime,
    *,
    portal: ClientSession | None = None,
) -> None:
    """From now on `/a/` is this attendee's own page, for half an hour.

    Opened from somebody's own pages it ends with the session that it was opened in. The cookie of
    before opens nothing of it: whoever used this browser earlier may have kept that.
    """
    session.cycle_key()
    session[_OWN] = {
        "attendance": str(attendance.pk),
        "person": str(attendance.person_id),
        "until": (now + OWN_PAGE).isoformat(),
        "portal": str(portal.pk) if portal else None,
    }


def prolong_own(session: SessionBase, now: datetime) -> None:
    """After a button on `/a/` it stays open for another half hour, however it was opened."""
    session[_OWN] = session[_OWN] | {"until": (now + OWN_PAGE).isoformat()}


def own(session: SessionBase, now: datetime) -> tuple[UUID, UUID] | None:
    """The person and the attendance whose own page is open in this browser.

    From somebody's own pages: while that session is open, of which this is a use.
    """
    stored = session.get(_OWN)
    if not stored or datetime.fromisoformat(stored["until"]) <= now:
        return None
    person, attendance = UUID(stored["person"]), UUID(stored["attendance"])
    if stored.get("portal"):
        opened_in = access.open_session(UUID(stored["portal"]), now)
        if opened_in is None:
            return None
        actions.touch(session=opened_in, by=Actor.of_person(person, opened_in.proof), now=now)
    return person, attendance


def forget(request: HttpRequest) -> None:
    """Whoever uses this browser next finds nothing of the visitor before; a member stays in."""
    if SESSION_KEY not in request.session:
        request.session.flush()
        return
    for name in (_ZONE, _HOLD, _BOOKED, _OWN):
        request.session.pop(name, None)
    filling_in.forget(request.session)
