"""The second proof: give it, set it, change it, take it away."""

from collections.abc import Sequence
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors, limits, passkeys
from clients.actions import access
from clients.doors import PersonRequest
from clients.models import ClientPasskey
from clients.passkeys import Asked, PasskeyRefused
from clients.queries import access as queries
from practice.forms import portal as forms
from practice.limits import PROOFS
from practice.queries import letterhead, pages
from practice.views.portal import frame

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])
# The pages that ask for the proof, to which they are led back. Never an address out of a request.
_ASKED_BY = (
    "portal-answers",
    "portal-contact",
    "portal-copy",
    "portal-looks",
    "portal-proofs",
    "portal-requests",
    "portal-safe-contact",
)
_ASKED_BY_INTAKE = ("reflection", "sharing", "together")


def _then(name: str) -> str:
    return name if name in _ASKED_BY or name in _ASKED_BY_INTAKE else "portal-mine"


def _page_of(then: str) -> str:
    return f"intake:{then}" if then in _ASKED_BY_INTAKE else then


@doors.portal
@doors.about("client_pin")
@_read_or_send
def prove(request: PersonRequest) -> HttpResponse:
    """Give the PIN, or a passkey. The page is the same whether or not there is either."""
    if request.method != "POST":
        return _prove(request, forms.Pin(), _then(request.GET.get("then", "")))
    limits.check(request, PROOFS)
    then = _then(request.POST.get("then", ""))
    form = forms.Pin(request.POST)
    if not form.is_valid():
        return _prove(request, form, then, status=form.status)
    tried = access.prove_with_pin(
        session=request.portal,
        pin=form.cleaned_data["pin"],
        by=request.actor,
        now=timezone.now(),
    )
    if tried.opened is None:
        form.add_error("pin", _locked() if tried.locked else _wrong())
        return _prove(request, form, then, status=422)
    return frame.go_on(tried.opened, _page_of(then))


def _wrong() -> str:
    return _("That isn't it. After five wrong ones in a row, only a new code helps.")


def _locked() -> str:
    return _("No PIN is taken any more. Ask the practice for a code, and set a new one.")


def _wrong_code() -> str:
    return _("That isn't the code. After five wrong ones, ask the practice for another.")


def _code_over() -> str:
    return _("This code can't be used any more. Ask the practice for another.")


def _prove(
    request: PersonRequest,
    form: forms.Pin,
    then: str,
    *,
    failed: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "then": then,
        # Which passkeys there are isn't told to somebody who came by a link alone.
        "passkey": passkeys.to_prove(made_for=request.portal.pk),
        "failed": failed,
    }
    return frame.page(request, "prove", context, status=status)


@doors.portal
@doors.about("client_passkey")
@require_POST
def prove_with_passkey(request: PersonRequest) -> HttpResponse:
    """Give the second proof with a passkey."""
    limits.check(request, PROOFS)
    then = _then(request.POST.get("then", ""))
    form = forms.Passkey(request.POST)
    if not form.is_valid():
        return _prove(request, forms.Pin(), then, failed=True, status=form.status)
    try:
        opened = access.prove_with_passkey(
            session=request.portal,
            answer=form.cleaned_data["answer"],
            note=form.cleaned_data["note"],
            by=request.actor,
            now=timezone.now(),
        )
    except PasskeyRefused:
        return _prove(request, forms.Pin(), then, failed=True, status=422)
    return frame.go_on(opened, _page_of(then))


@doors.portal
@doors.about("client_pin")
@_read_or_send
def first_pin(request: PersonRequest) -> HttpResponse:
    """Set a PIN with a code that the practice told in person: who only reads the mail has none."""
    if request.method != "POST":
        return frame.page(request, "pin", {"form": forms.FirstPin()})
    limits.check(request, PROOFS)
    form = forms.FirstPin(request.POST)
    if not form.is_valid():
        return frame.page(request, "pin", {"form": form}, status=form.status)
    tried = access.set_pin_with_code(
        session=request.portal,
        code=form.cleaned_data["code"],
        pin=form.cleaned_data["pin"],
        by=request.actor,
        now=timezone.now(),
    )
    if tried.opened is None:
        form.add_error("code", _code_over() if tried.locked else _wrong_code())
        return frame.page(request, "pin", {"form": form}, status=422)
    return frame.go_on(tried.opened, "portal-mine")


@doors.portal_proved
@doors.about("client_pin")
@require_safe
def proofs(request: PersonRequest) -> HttpResponse:
    """The PIN and the passkeys: what is set, and how to change it."""
    return _proofs(request)


def _proofs(
    request: PersonRequest,
    *,
    pin: forms.OtherPin | None = None,
    new: forms.NewPasskey | None = None,
    failed: bool = False,
    status: int = 200,
) -> HttpResponse:
    person = request.portal.person
    row, known = queries.pin(person.pk), queries.passkeys(person.pk)
    context = {
        "has_pin": row is not None and row.set_at is not None,
        "pin": pin or forms.OtherPin(),
        "passkeys": known,
        "passkey": _question(request, known),
        "new": new or forms.NewPasskey(),
        "failed": failed,
    }
    return frame.page(request, "proofs", context, status=status)


def _question(request: PersonRequest, known: Sequence[ClientPasskey]) -> Asked:
    practice = pages.practice()
    return passkeys.to_register(
        person_id=request.portal.person_id,
        known=[bytes(one.credential) for one in known],
        # Password managers show it to whoever opens them.
        shown_as=letterhead.sender_name(practice) if practice else _("Appointments"),
        made_for=request.portal.pk,
    )


@doors.portal_proved
@doors.about("client_pin")
@require_POST
def other_pin(request: PersonRequest) -> HttpResponse:
    """Set another PIN with the one so far."""
    limits.check(request, PROOFS)
    form = forms.OtherPin(request.POST)
    if not form.is_valid():
        return _proofs(request, pin=form, status=form.status)
    tried = access.change_pin(
        session=request.portal,
        current=form.cleaned_data["current"],
        pin=form.cleaned_data["pin"],
        by=request.actor,
        now=timezone.now(),
    )
    if tried.opened is None:
        form.add_error("current", _locked() if tried.locked else _wrong())
        return _proofs(request, pin=form, status=422)
    return frame.go_on(tried.opened, "portal-proofs")


@doors.portal_proved
@doors.about("client_pin")
@require_POST
def no_pin(request: PersonRequest) -> HttpResponse:
    """Take the PIN away."""
    if forms.Button(request.POST).is_valid():
        access.remove_pin(session=request.portal, by=request.actor, now=timezone.now())
    return redirect("practice:portal-proofs")


@doors.portal_proved
@doors.about("client_passkey")
@require_POST
def add_passkey(request: PersonRequest) -> HttpResponse:
    """Keep a new passkey."""
    form = forms.NewPasskey(request.POST)
    if not form.is_valid():
        return _proofs(request, new=form, failed="name" not in form.errors, status=form.status)
    try:
        opened = access.add_passkey(
            session=request.portal,
            answer=form.cleaned_data["answer"],
            note=form.cleaned_data["note"],
            name=form.cleaned_data["name"],
            by=request.actor,
            now=timezone.now(),
        )
    except PasskeyRefused:
        return _proofs(request, failed=True, status=422)
    return frame.go_on(opened, "portal-proofs")


@doors.portal_proved
@doors.about("client_passkey")
@require_POST
def remove_passkey(request: PersonRequest, pk: UUID) -> HttpResponse:
    """Take a passkey away. Refuses (404) one that isn't this person's, as one that isn't there."""
    found = [one for one in queries.passkeys(request.portal.person_id) if one.pk == pk]
    if not found or not forms.Button(request.POST).is_valid():
        raise Http404
    access.remove_passkey(
        session=request.portal, passkey=found[0], by=request.actor, now=timezone.now()
    )
    return redirect("practice:portal-proofs")
