"""Open a case that one doesn't care for: with a reason, for an hour, and its counselor is told."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from clients import doors
from clients.actions import glass
from clients.doors import MemberRequest
from clients.models import BreakGlass, Case
from clients.queries import care
from clients.rules.permissions import NotPermitted, Right
from practice.forms.cases import Reason
from practice.queries import caseload
from practice.templatetags import duet_times
from practice.views.desk import the_practice


@doors.desk
@doors.about("case", Right.BREAK_GLASS)
@require_http_methods(["GET", "HEAD", "POST"])
def break_glass(request: MemberRequest, pk: UUID) -> HttpResponseBase:
    """Say why, and the case is open to be read for an hour; until then only whose it is is told.

    Whoever proved their second factor long ago proves it once more first. Who reads it anyway is
    led there.
    """
    now, found = timezone.now(), caseload.breakable(request.actor, pk)
    if found is None:
        raise Http404
    if care.is_open(request.actor, found):
        return redirect("practice:desk-case", pk=found.pk)
    once_more = _once_more(request)
    if once_more is not None:
        return once_more
    if request.method != "POST":
        return _page(request, found, Reason(), now)
    form = Reason(request.POST)
    if not form.is_valid():
        return _page(request, found, form, now, status=form.status)
    try:
        glass.break_glass(case=found, reason=form.cleaned_data["reason"], by=request.actor, now=now)
    except glass.NoSecondFactor:
        return _page(request, found, form, now, no_factor=True, status=403)
    messages.success(request, _("The case is open to you for an hour; its counselor is told."))
    return redirect("practice:desk-case", pk=found.pk)


def _back(request: MemberRequest, found: Case) -> str:
    """The case's page for whoever may know of it anyway; for others that isn't there."""
    if care.may_know(request.actor, found):
        return reverse("practice:desk-case", args=[found.pk])
    return reverse("practice:desk-cases")


def _once_more(request: HttpRequest) -> HttpResponseBase | None:
    """The way to prove the second factor again, where that was long ago; a demo asks nobody.

    Refuses (NotPermitted) everybody on a site that has no such way.
    """
    if settings.DUET["MODE"] == "demo":
        return None
    path = str(settings.DUET.get("REAUTHENTICATE", ""))
    if not path:
        raise NotPermitted(Right.BREAK_GLASS)
    asks: Callable[[HttpRequest], HttpResponseBase | None] = import_string(path)
    return asks(request)


def _page(
    request: MemberRequest,
    found: Case,
    form: Reason,
    now: datetime,
    *,
    no_factor: bool = False,
    status: int = 200,
) -> HttpResponse:
    practice = the_practice()
    zone = caseload.zone(found, practice.zone)
    context = {
        "practice": practice,
        "section": "cases",
        "case": found,
        "back_url": _back(request, found),
        "form": form,
        "no_factor": no_factor,
        "is_demo": settings.DUET["MODE"] == "demo",
        "until": now + BreakGlass.LONGEST,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_glass.html", context, status=status)
