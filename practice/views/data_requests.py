"""What clients ask about their record, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clients import doors
from clients.actions import access
from clients.doors import MemberRequest
from clients.models import DataRequest
from clients.queries import data_requests
from clients.rules import requests as rules
from clients.rules import retention
from clients.rules.permissions import Right
from clients.rules.retention import MayNotErase, Standing
from practice.actions import reads
from practice.forms.desk import RequestAnswer
from practice.queries import standing
from practice.templatetags import duet_access, duet_times
from practice.views.desk import the_practice


@dataclass(frozen=True, slots=True)
class Line:
    """One request that waits: since how many days, and what an erasure would meet today."""

    asked: DataRequest
    waited: int
    form: RequestAnswer
    in_the_way: MayNotErase | None

    @property
    def is_erasure(self) -> bool:
        return self.asked.kind == rules.ERASURE

    @property
    def is_erased(self) -> bool:
        return _is_erased(self.asked)


@doors.desk
@doors.about("data_request", Right.ANSWER_REQUESTS)
@require_safe
def requests(request: MemberRequest) -> HttpResponse:
    """The requests that wait for an answer, the oldest first, and those answered last."""
    return _page(request, {})


@doors.desk
@doors.about("data_request", Right.ANSWER_REQUESTS)
@require_POST
def answer(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Put down what became of a request. Refuses (404) one of whom the member may not know of."""
    found = data_requests.one(request.actor, pk)
    if found is None:
        raise Http404
    if found.answered_at is not None:
        return _page(request, {}, refusal=_refused("answered"), status=422)
    form = _form(found, request.POST)
    if not form.is_valid():
        return _page(request, {found.pk: form}, status=form.status)
    try:
        access.answer_request(
            request=found,
            answer=form.cleaned_data["answer"],
            by=request.actor,
            now=timezone.now(),
        )
    except rules.NotAnswerable as refused:
        return _page(request, {}, refusal=_refused(refused.code), status=422)
    messages.success(request, _("Noted."))
    return redirect("practice:desk-requests")


def _page(
    request: MemberRequest,
    filled_in: Mapping[UUID, RequestAnswer],
    *,
    refusal: str = "",
    status: int = 200,
) -> HttpResponse:
    practice, now = the_practice(), timezone.now()
    waiting = data_requests.to_answer(request.actor)
    shown, answered = waiting[: data_requests.SHOWN], data_requests.answered(request.actor)
    reads.in_requests(
        persons=[one.person_id for one in (*shown, *answered)], by=request.actor, now=now
    )
    context = {
        "practice": practice,
        "section": "requests",
        "lines": _lines(shown, filled_in, practice.zone, now),
        "more": len(waiting) > len(shown),
        "answered": answered,
        "refusal": refusal,
        "zone": practice.zone,
        "zone_label": duet_times.zone_words(practice.zone),
    }
    return render(request, "duet/practice/desk_requests.html", context, status=status)


def _lines(
    shown: list[DataRequest], filled_in: Mapping[UUID, RequestAnswer], zone: str, now: datetime
) -> list[Line]:
    to_erase = {one.person_id for one in shown if one.kind == rules.ERASURE}
    stand = standing.of_persons(to_erase, now)
    today = duet_times.local(now, zone).date()
    return [
        Line(
            one,
            (today - duet_times.local(one.asked_at, zone).date()).days,
            filled_in.get(one.pk) or _form(one),
            _in_the_way(stand[one.person_id], now.date()) if one.person_id in to_erase else None,
        )
        for one in shown
    ]


def _in_the_way(stands: Standing, today: date) -> MayNotErase | None:
    """What would be refused if somebody were to erase them now."""
    try:
        retention.check_erasable(stands, years=settings.DUET["RETENTION_YEARS"], today=today)
    except MayNotErase as refusal:
        return refusal
    return None


def _form(asked: DataRequest, sent: Mapping[str, str] | None = None) -> RequestAnswer:
    codes = rules.answers(asked.kind, erased=_is_erased(asked))
    return RequestAnswer(
        sent,
        answers=[(code, duet_access.answer_words(code)) for code in codes],
        auto_id=f"id_{asked.pk}_%s",
    )


def _is_erased(asked: DataRequest) -> bool:
    return asked.person.key.destroyed_at is not None


def _refused(code: str) -> str:
    return {
        "answered": _("That was answered already."),
        "not_erased": _("The record isn't erased: its key is still there."),
    }.get(code, _("That is no answer to this request."))
