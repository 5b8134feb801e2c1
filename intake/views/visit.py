"""Whose forms are open in this browser: kept in the session, on POST only.

As with an attendee's own page, a GET reads the session and never writes it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.sessions.backends.base import SessionBase

from clients.actions import access as actions
from clients.models import ClientSession
from clients.queries import access
from clients.rules.actors import Actor
from intake.models import Assignment, Intake

_OWN = "duet_intake"
# How long the forms stay open after the last thing that was saved or pressed.
OWN_PAGES = timedelta(minutes=30)


def keep_own(
    session: SessionBase, intake: Intake, now: datetime, *, portal: ClientSession | None = None
) -> None:
    """From now on `/i/` is this person's, for half an hour.

    Opened from somebody's own pages it ends with the session that it was opened in. The cookie of
    before opens nothing of it: whoever used this browser earlier may have kept that.
    """
    session.cycle_key()
    session[_OWN] = {
        "intake": str(intake.pk),
        "person": str(intake.person_id),
        "until": (now + OWN_PAGES).isoformat(),
        "portal": str(portal.pk) if portal else None,
        "alone": [],
    }


def prolong(session: SessionBase, now: datetime) -> None:
    """After a button, or after something was saved, they stay open for another half hour."""
    session[_OWN] = session[_OWN] | {"until": (now + OWN_PAGES).isoformat()}


def own(session: SessionBase, now: datetime) -> tuple[UUID, UUID] | None:
    """The person and the intake whose forms are open in this browser.

    From somebody's own pages: while that session is open, of which this is a use.
    """
    stored = session.get(_OWN)
    if not stored or datetime.fromisoformat(stored["until"]) <= now:
        return None
    person, intake = UUID(stored["person"]), UUID(stored["intake"])
    if stored.get("portal"):
        opened_in = access.open_session(UUID(stored["portal"]), now)
        if opened_in is None:
            return None
        actions.touch(session=opened_in, by=Actor.of_person(person, opened_in.proof), now=now)
    return person, intake


def said_alone(session: SessionBase, assignment: Assignment) -> bool:
    """Whether the person said in this visit that nobody can see the screen.

    An answer of another day, or of another device, says nothing about now.
    """
    return str(assignment.pk) in session.get(_OWN, {}).get("alone", [])


def keep_alone(session: SessionBase, assignment: Assignment) -> None:
    alone = {*session[_OWN]["alone"], str(assignment.pk)}
    session[_OWN] = session[_OWN] | {"alone": sorted(alone)}


def drop_alone(session: SessionBase) -> None:
    """Somebody came in: nothing private is shown before it is asked again."""
    session[_OWN] = session[_OWN] | {"alone": []}


def forget(session: SessionBase) -> None:
    """Whoever uses this browser next finds nothing of the one before."""
    session.pop(_OWN, None)
