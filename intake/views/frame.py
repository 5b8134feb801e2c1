"""Who is in, in which language, and what comes first: for all pages behind a person's link."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Concatenate, ParamSpec
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation

from clients.rules.actors import Actor
from intake.models import Assignment, Intake, Response
from intake.queries import taking
from intake.rules import pages, wording
from intake.rules.answers import Answered
from intake.rules.definition import Definition
from intake.rules.pages import Page
from intake.rules.taking import spoken
from intake.views import visit, words

P = ParamSpec("P")

# What is longer than this was written, and not chosen.
_CODES = 30


@dataclass(frozen=True, slots=True)
class Own:
    """The person whose forms are open in this browser, at one moment."""

    intake: Intake
    now: datetime

    @property
    def by(self) -> Actor:
        return Actor.of_person(self.intake.person_id)

    @property
    def language(self) -> str:
        return self.intake.person.language

    @property
    def today(self) -> date:
        return self.now.astimezone(ZoneInfo(self.intake.person.zone)).date()


@dataclass(frozen=True, slots=True)
class Form:
    """One form of theirs, with what was answered so far."""

    own: Own
    assignment: Assignment
    response: Response | None
    answers: Mapping[str, Answered]
    pages: list[Page]
    language: str
    texts: Mapping[str, str]

    @property
    def definition(self) -> Definition:
        return self.assignment.instrument.parsed

    @property
    def revision(self) -> int:
        return self.response.revision if self.response else 0

    @property
    def title(self) -> str:
        return words.title(self.texts)


View = Callable[Concatenate[HttpRequest, Own, P], HttpResponse]


def own(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """The view with the person whose forms are open here, in their language.

    Refuses (404, the same for all) a browser in which nobody's are open any more, and a form of
    somebody else's page: two may have used this browser one after the other, and a button must
    never act on the other one's part. What was typed into it is shown, to be copied.
    """

    @functools.wraps(view)
    def inner(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        now = timezone.now()
        ids = visit.own(request.session, now)
        sent = request.method == "POST"
        if not ids or (sent and _said_own(request) != str(ids[1])):
            return over(request)
        intake = taking.own(*ids, now)
        if intake is None:
            return over(request)
        if sent:
            visit.prolong(request.session, now)
        return in_their_language(
            intake.person.language, view, request, Own(intake, now), *args, **kwargs
        )

    return inner


def _said_own(request: HttpRequest) -> str:
    """Whose page a form stood on: in the form, or in a header where the body isn't one."""
    return request.POST.get("own") or request.headers.get("X-Duet-Own", "")


def in_their_language(
    language: str, view: Callable[P, HttpResponse], /, *args: P.args, **kwargs: P.kwargs
) -> HttpResponse:
    """The page speaks the language in which this person is written to."""
    if language not in dict(settings.LANGUAGES):
        return view(*args, **kwargs)
    with translation.override(language):
        response = view(*args, **kwargs)
        response["Content-Language"] = language
        return response


def over(request: HttpRequest) -> HttpResponse:
    """Nobody's forms are open here any more: the way back, with all that was typed."""
    if request.method != "POST":
        raise Http404
    typed = [
        text
        for name, texts in request.POST.lists()
        if name.startswith("q-")
        for text in texts
        if " " in text.strip() or len(text) > _CODES
    ]
    return render(request, "duet/intake/over.html", {"typed": typed}, status=404)


def form(own: Own, pk: UUID) -> Form:
    """One form of theirs. Refuses (404) what isn't there or isn't theirs."""
    assignment = taking.assignment(own.intake, pk)
    if assignment is None:
        raise Http404
    definition = assignment.instrument.parsed
    response = taking.response_of(assignment)
    is_open = taking.is_open(assignment, own.now)
    answers = taking.answers_of(response) if is_open else {}
    language = spoken(definition, own.language)
    return Form(
        own=own,
        assignment=assignment,
        response=response,
        answers=answers,
        pages=pages.pages(definition, answers, short=assignment.short) if is_open else [],
        language=language,
        texts=wording.texts(definition, language),
    )


def first(request: HttpRequest, form: Form) -> HttpResponse | None:
    """Where somebody has to go before this form asks anything; none if it may."""
    own, assignment = form.own, form.assignment
    if assignment.state == Assignment.State.SENT:
        return redirect("intake:sent", assignment.pk)
    if not taking.is_open(assignment, own.now) or taking.waits_for_the_check(assignment):
        return redirect("intake:mine")
    if form.definition.private and not taking.has_accepted(own.intake):
        return redirect("intake:policy")
    return None


def alone_first(request: HttpRequest, form: Form) -> Page | None:
    """The page that asks whether somebody is alone, if it has to be asked in this visit."""
    stopper = next((one for one in form.pages if one.stops), None)
    if stopper is None or visit.said_alone(request.session, form.assignment):
        return None
    return stopper


def context(own: Own, **more: Any) -> dict[str, Any]:
    """What every page has: whose it is, for its buttons."""
    return {"own": own.intake.pk, **more}
