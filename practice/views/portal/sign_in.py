"""The way in: ask for a link, use it, or a passkey; and the way out."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone, translation
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors, limits, passkeys, portal_cookie
from clients.actions import access
from clients.actions.access import LinkOver
from clients.doors import PersonRequest
from clients.passkeys import PasskeyRefused
from clients.queries import access as queries
from clients.rules import access as rules
from clients.rules.actors import Actor
from clients.rules.browsers import browser_words
from practice.forms import portal as forms
from practice.limits import LINKS_BY_ADDRESS, LINKS_BY_BROWSER, PROOFS, UNKNOWN_LINKS
from practice.queries import portal
from practice.views import visit
from practice.views.portal import frame

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])
# Where a form may come from: a page of ours, or by hand. Old browsers don't say.
_FROM_HERE = (None, "same-origin", "none")


@doors.visitor
@doors.about("person")
@_read_or_send
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for the link by mail. The answer is the same for every address that could be one."""
    now = timezone.now()
    if request.method != "POST":
        if portal_cookie.session_of(request, now) is not None:
            return redirect("practice:portal-mine")
        return _ask(request, forms.Ask())
    form = forms.Ask(request.POST)
    if not form.is_valid():
        return _ask(request, form, status=form.status)
    limits.check(request, LINKS_BY_BROWSER)
    # Counted by what was typed alone, so that a limit tells nothing either.
    digest = queries.digest_of(form.cleaned_data["email"])
    limits.check_key(LINKS_BY_ADDRESS, digest.hex())
    known = queries.written_to_at(digest, of=portal.who_may_be_written_to(), now=now)
    access.send_links(persons=known, by=Actor.visitor(), now=now)
    return redirect("practice:portal-sent")


def _ask(
    request: HttpRequest, form: forms.Ask, *, failed: bool = False, status: int = 200
) -> HttpResponse:
    context = {"form": form, "passkey": passkeys.to_prove(), "failed": failed}
    return frame.outside(request, "ask", context, status)


@doors.visitor
@doors.about("site")
@require_safe
def sent(request: HttpRequest) -> HttpResponse:
    """What happens next, whoever asked."""
    return frame.outside(request, "sent")


@doors.by_link
@doors.about("person")
@_read_or_send
def by_link(request: HttpRequest, token: str) -> HttpResponse:
    """A page with one button: what opens links by itself, as mail scanners do, opens nothing."""
    now = timezone.now()
    if request.method == "POST":
        return _use(request, token)
    found = queries.link(rules.token_hash(token), now)
    if found is None:
        return _over(request)
    language = found.person.language
    if language not in dict(settings.LANGUAGES):
        return frame.outside(request, "in")
    with translation.override(language):
        response = frame.outside(request, "in")
        response["Content-Language"] = language
        return response


def _use(request: HttpRequest, token: str) -> HttpResponse:
    """Use the link up. A form of another site would put somebody into a stranger's page."""
    foreign = request.headers.get("Sec-Fetch-Site") not in _FROM_HERE
    if foreign or not forms.Button(request.POST).is_valid():
        return _over(request)
    now = timezone.now()
    try:
        opened = access.use_link(
            token=token,
            browser=browser_words(request.headers.get("User-Agent", "")),
            instead_of=portal_cookie.session_of(request, now),
            by=Actor.visitor(),
            now=now,
        )
    except LinkOver:
        return _over(request)
    visit.forget(request)
    return frame.go_on(opened, "portal-mine")


@doors.by_link
@doors.about("site")
def unknown(request: HttpRequest) -> HttpResponse:
    """Whatever else stands where a link should be: the page of a link that doesn't work."""
    return _over(request)


def _over(request: HttpRequest) -> HttpResponse:
    """Used, too old, mistyped, never made: the same page for all of them."""
    limits.check(request, UNKNOWN_LINKS)
    return frame.outside(request, "link_over", status=404)


@doors.visitor
@doors.about("person")
@require_POST
def with_passkey(request: HttpRequest) -> HttpResponse:
    """Sign in with a passkey, for which no mail is needed."""
    limits.check(request, PROOFS)
    form = forms.Passkey(request.POST)
    now = timezone.now()
    if not form.is_valid():
        return _ask(request, forms.Ask(), failed=True, status=form.status)
    try:
        opened = access.sign_in_with_passkey(
            answer=form.cleaned_data["answer"],
            note=form.cleaned_data["note"],
            browser=browser_words(request.headers.get("User-Agent", "")),
            instead_of=portal_cookie.session_of(request, now),
            by=Actor.visitor(),
            now=now,
        )
    except PasskeyRefused:
        return _ask(request, forms.Ask(), failed=True, status=422)
    visit.forget(request)
    return frame.go_on(opened, "portal-mine")


@doors.portal
@doors.about("client_session")
@require_POST
def sign_out(request: PersonRequest) -> HttpResponse:
    """End this session, and leave nothing of it in the browser."""
    access.end_session(session=request.portal, by=request.actor, now=timezone.now())
    visit.forget(request)
    response = redirect("practice:portal")
    portal_cookie.expire(response)
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response
