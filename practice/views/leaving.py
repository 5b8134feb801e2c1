"""Leave at once: for whoever must not be seen on these pages."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from clients import doors, portal_cookie
from clients.actions import access
from clients.rules.actors import Actor
from practice.views import visit
from practice.views.portal import frame


@doors.visitor
@doors.about("site")
@require_safe
def leave(request: HttpRequest) -> HttpResponse:
    """End what is open in this browser, and go to the neutral site that the practice has set.

    A plain link leads here, so it is a GET: it changes sessions and nothing else. It doesn't ask
    the browser to clear its cache, which can take seconds; our pages aren't kept there anyway.
    """
    session = portal_cookie.session_of(request, now := timezone.now())
    if session is not None:
        by = Actor.of_person(session.person_id, session.proof)
        access.end_session(session=session, by=by, now=now)
    if settings.SESSION_COOKIE_NAME in request.COOKIES:
        visit.forget(request)
    response = HttpResponseRedirect(settings.DUET["QUICK_EXIT_URL"])
    portal_cookie.expire(response)
    return response


@doors.public
@doors.about("site")
@require_safe
def what_it_does(request: HttpRequest) -> HttpResponse:
    """What the button does, and what it can't do."""
    return frame.outside(request, "exit")
