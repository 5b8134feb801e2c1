"""The queue of intakes that wait for a decision, and one of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.doors import MemberRequest
from clients.queries import care
from clients.rules.actors import Actor
from clients.rules.envelope import Erased
from clients.rules.permissions import NotPermitted, can_review
from intake.actions import reviewing as acts
from intake.actions.giving import CaseClosed, NotOfCase, StillOpen, Unpublished
from intake.models import Review
from intake.queries import giving, reviewing, safety, taking
from intake.rules import printed
from intake.rules import review as rules
from intake.rules.printed import Line
from practice.actions import reads
from practice.actions import reviewing as deciding
from practice.forms.desk import Answered
from practice.forms.review import Asked, Ended
from practice.models import Answer
from practice.queries import acquaintance, caseload, review_queue
from practice.queries.caseload import Voice
from practice.templatetags import duet_review, duet_times
from practice.views.desk import glass_of, the_practice

_PAGES = 10_000
_AGAIN = gettext_lazy("Please press the button once more.")
# What else the actions refuse, by the code of its sentence.
_CODES: Final[dict[type[Exception], str]] = {
    deciding.StillBooked: "booked",
    CaseClosed: "closed",
    NotOfCase: "not_of_case",
    StillOpen: "still_open",
    Erased: "erased",
}


@doors.desk
@doors.about("review")
@require_safe
def queue(request: MemberRequest) -> HttpResponse:
    """What waits for a decision, or for a place: who, how far it has come in, and until when."""
    now, actor, practice = timezone.now(), request.actor, the_practice()
    on_list, number = _asked(request)
    page = review_queue.listed(actor, now, on_list=on_list, number=number)
    shown = [(one.person.pk, row.review.case_id) for row in page.rows for one in row.voices]
    reads.in_queue(persons=shown, by=actor, now=now)
    context = {
        "practice": practice,
        "section": "intake",
        "rows": page.rows,
        "on_list": on_list,
        "waiting_url": f"{request.path}?show=waiting",
        "list_url": f"{request.path}?show=list",
        "newer_url": _page(request, on_list, number - 1) if number > 1 else "",
        "older_url": _page(request, on_list, number + 1) if page.more else "",
        "zone": practice.zone,
        "zone_label": duet_times.zone_words(practice.zone),
    }
    return render(request, "duet/practice/desk_intake.html", context)


def _asked(request: MemberRequest) -> tuple[bool, int]:
    """Whether the waiting list is asked for, and which page."""
    text = request.GET.get("page", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else 1
    return request.GET.get("show") == "list", min(max(number, 1), _PAGES)


def _page(request: MemberRequest, on_list: bool, number: int) -> str:
    query = urlencode({"show": "list" if on_list else "waiting", "page": number})
    return f"{request.path}?{query}"


# --- one review ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Allowed:
    """What this member may do with a review, as the actions would have it.

    `review`: they take part in deciding at all, and so read what stands behind it.
    """

    review: bool
    claim: bool = False
    take_over: bool = False
    release: bool = False
    decide: bool = False
    resume: bool = False


def allowed(actor: Actor, found: Review) -> Allowed:
    """One statement or two; what is seen only through the broken glass is read, nothing else."""
    if care.only_by_glass(actor, found.case):
        return Allowed(review=True)
    if not can_review(actor, counsels=care.counsels(actor, found.case)):
        return Allowed(review=False)
    if found.decided_at is not None:
        return Allowed(review=True, resume=reviewing.is_on_list(found))
    own = found.claimed_by_id == actor.id
    free = found.claimed_by_id is None
    return Allowed(
        review=True, claim=free, take_over=not own and not free, release=own, decide=own or free
    )


@dataclass(frozen=True, slots=True)
class FormLine:
    """One form of a person's: how it stands, and what it says for who may read that."""

    form: review_queue.Form
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Part:
    """One person of the case, what they were given, and what they wrote when they booked."""

    voice: Voice
    forms: Sequence[FormLine]
    answers: Sequence[Answer]


def find(request: MemberRequest, pk: UUID) -> Review:
    """Refuses (404) what doesn't exist and what isn't theirs to know of alike."""
    found = review_queue.one(request.actor, pk)
    if found is None:
        raise Http404
    return found


@doors.desk
@doors.about("review")
@require_safe
def review(request: MemberRequest, pk: UUID) -> HttpResponse:
    """One review. Who decides reads what was answered for the practice; others how far it is."""
    return _review_page(request, find(request, pk), timezone.now())


def _review_page(
    request: MemberRequest, found: Review, now: datetime, *, refusal: str = "", status: int = 200
) -> HttpResponse:
    actor, practice = request.actor, the_practice()
    may = allowed(actor, found)
    line = review_queue.line(actor, found, now)
    forms = review_queue.forms(actor, found)
    persons = [one.person for one in line.voices]
    said = [one.response for one in forms if one.response is not None]
    answers = caseload.answers(actor, found.case)
    known = acquaintance.known(actor, found.case, persons) if may.review else acquaintance.Found()
    reads.on_review(review=found, persons=persons, responses=said, by=actor, now=now)
    reads.in_search(persons=known.shown, by=actor, now=now)
    zone = caseload.zone(found.case, practice.zone)
    context = {
        "practice": practice,
        "section": "intake",
        "review": found,
        "row": line,
        "names": " & ".join(str(one.shown_name) for one in persons),
        "may": may,
        "parts": [
            Part(
                one,
                [_form_line(form) for form in forms if _is_of(form, one)],
                [each for each in answers if each.attendance.person_id == one.person.pk],
            )
            for one in line.voices
        ],
        "known": known,
        "flags": safety.open_flags(actor, found.case),
        "steps": reviewing.steps(actor, found.case),
        "glass": glass_of(actor, found.case_id, now),
        "refusal": refusal,
        "zone": zone,
        "zone_label": duet_times.zone_words(zone),
    }
    return render(request, "duet/practice/desk_review.html", context, status=status)


def _is_of(form: review_queue.Form, voice: Voice) -> bool:
    return form.assignment.intake.person_id == voice.person.pk


def _form_line(form: review_queue.Form) -> FormLine:
    if form.response is None:
        return FormLine(form, ())
    return FormLine(
        form,
        printed.lines(
            form.assignment.instrument.parsed,
            taking.answers_of(form.response),
            translation.get_language(),
            short=form.assignment.short,
        ),
    )


def _refused(request: MemberRequest, pk: UUID, code: str, now: datetime) -> HttpResponse:
    """How it stands by now, and why nothing was changed."""
    found = find(request, pk)
    if code in ("closed", "decided") and found.decided_at is not None:
        code = "closed" if found.decision == Review.Decision.CLOSED else "decided"
    who = str(found.claimed_by or _("A colleague"))
    sentence = {
        "decided": _("A colleague has decided this meanwhile: %(decision)s.")
        % {"decision": duet_review.decision_words(found.decision)},
        "closed": _("The case is closed. It is reopened first."),
        "claimed": _("%(who)s has claimed this. Ask them, then take it over.") % {"who": who},
        "not_claimed": _("This isn't yours to give back any more."),
        "not_of_case": _("Whom you asked is no part of this case any more. Nothing was changed."),
        "still_open": _("Somebody has this form open already. Nothing was changed."),
        "erased": _("The record of one of them was erased. Nothing was changed."),
        "booked": _(
            "A session is booked in a diary that you don't keep. Have it cancelled there first."
        ),
    }.get(code, _("Its state doesn't allow this any more. Below is how it stands now."))
    return _review_page(request, found, now, refusal=sentence, status=409)


def _done(
    request: MemberRequest, pk: UUID, now: datetime, act: Callable[[], Any], sentence: str
) -> HttpResponse:
    """Do it and say so, or say why not."""
    try:
        act()
    except rules.NotAllowed as refused:
        return _refused(request, pk, refused.code, now)
    except tuple(_CODES) as refused:
        return _refused(request, pk, _CODES[type(refused)], now)
    messages.success(request, sentence)
    return redirect("practice:desk-review", pk=pk)


def _pressed(request: MemberRequest, found: Review, now: datetime) -> HttpResponse | None:
    """The page once more, where there came anything but the button."""
    if Answered(request.POST).is_valid():
        return None
    return _review_page(request, found, now, refusal=str(_AGAIN), status=422)


@doors.desk
@doors.about("review")
@require_POST
def claim(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take a review on that nobody has."""
    now, found = timezone.now(), find(request, pk)
    act = partial(acts.claim, review=found, by=request.actor, now=now)
    return _pressed(request, found, now) or _done(request, pk, now, act, _("It is yours now."))


@doors.desk
@doors.about("review")
@require_POST
def release(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Give a review back to whoever takes it."""
    now, found = timezone.now(), find(request, pk)
    act = partial(acts.release, review=found, by=request.actor, now=now)
    done = _("Somebody else can take it now.")
    return _pressed(request, found, now) or _done(request, pk, now, act, done)


@doors.desk
@doors.about("review")
@require_POST
def accept(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take those of a case on, with what they asked for."""
    now, found = timezone.now(), find(request, pk)
    act = partial(deciding.accept, review=found, by=request.actor, now=now)
    done = _("They are taken on. What they asked for is accepted, and they are told.")
    return _pressed(request, found, now) or _done(request, pk, now, act, done)


@doors.desk
@doors.about("review")
@require_POST
def resume(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take up again what is on the waiting list."""
    now, found = timezone.now(), find(request, pk)
    refused = _pressed(request, found, now)
    if refused is not None:
        return refused
    within = the_practice().review_within_hours
    try:
        again = acts.resume(review=found, within_hours=within, by=request.actor, now=now)
    except rules.NotAllowed as late:
        return _refused(request, pk, late.code, now)
    messages.success(request, _("It is back in the queue."))
    return redirect("practice:desk-review", pk=again.pk)


# --- what asks once more -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What a page asks before it is done: its name, and the words on it."""

    name: str
    title: str
    text: str
    button: str
    is_end: bool = False


def _steps(name: str) -> Step:
    return {
        "take-over": Step(
            name,
            _("Take this review over?"),
            _("Ask first: a colleague has claimed it, and is told that you have it now."),
            _("Take it over"),
        ),
        "ask": Step(
            name,
            _("Ask for more"),
            _(
                "They get a letter that says nothing but that there is a message; what you write "
                "stands on their own page. The review waits until something came in."
            ),
            _("Ask them"),
        ),
        "decline": Step(
            name,
            _("Decline this intake?"),
            _(
                "What they asked for or booked is cancelled, what they haven't sent is withdrawn, "
                "and an enquiry is closed. Tell them to whom else they can turn."
            ),
            _("Decline it"),
            is_end=True,
        ),
        "waitlist": Step(
            name,
            _("Put them on the waiting list?"),
            _("What they asked for or booked is cancelled, so that the time is free again."),
            _("Put them on the list"),
            is_end=True,
        ),
    }[name]


def _may_step(may: Allowed, name: str) -> bool:
    return may.take_over if name == "take-over" else may.decide


@doors.desk
@doors.about("review")
@require_http_methods(["GET", "HEAD", "POST"])
def take_over(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Ask once more, then take a review over from a colleague."""
    now, found = timezone.now(), find(request, pk)
    form = Answered(request.POST if request.method == "POST" else None)
    return _step(
        request,
        found,
        _steps("take-over"),
        form,
        partial(acts.claim, review=found, take_over=True, by=request.actor, now=now),
        _("It is yours now; your colleague is told."),
        now,
    )


@doors.desk
@doors.about("review")
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Write what is still missing, to all of a case or to one."""
    now, found = timezone.now(), find(request, pk)
    persons = [one.person for one in caseload.voices(found.case)]
    sent = request.POST if request.method == "POST" else None
    form = Asked(sent, persons=persons, given=giving.givable(request.actor))

    def act() -> None:
        deciding.ask_more(
            review=found,
            words=form.cleaned_data["words"],
            person=form.person(),
            slug=form.cleaned_data["slug"],
            by=request.actor,
            now=now,
        )

    return _step(request, found, _steps("ask"), form, act, _("They are asked."), now)


@doors.desk
@doors.about("review")
@require_http_methods(["GET", "HEAD", "POST"])
def decline(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Say to whom else they can turn, then end it."""
    now, found = timezone.now(), find(request, pk)
    form = Ended(request.POST if request.method == "POST" else None, must_tell=True)

    def act() -> None:
        deciding.decline(review=found, by=request.actor, now=now, **form.cleaned_data)

    return _step(request, found, _steps("decline"), form, act, _("It is declined."), now)


@doors.desk
@doors.about("review")
@require_http_methods(["GET", "HEAD", "POST"])
def waitlist(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Let them wait for a place."""
    now, found = timezone.now(), find(request, pk)
    form = Ended(request.POST if request.method == "POST" else None, must_tell=False)

    def act() -> None:
        deciding.waitlist(review=found, by=request.actor, now=now, **form.cleaned_data)

    return _step(request, found, _steps("waitlist"), form, act, _("They are on the list."), now)


def _step(
    request: MemberRequest,
    found: Review,
    step: Step,
    form: Any,
    act: Callable[[], Any],
    done: str,
    now: datetime,
) -> HttpResponse:
    """The page that asks, and what comes of its button. Refuses (403) who doesn't review."""
    may = allowed(request.actor, found)
    if not may.review or care.only_by_glass(request.actor, found.case):
        raise NotPermitted
    if not _may_step(may, step.name):
        code = "decided" if found.decided_at else "claimed" if may.take_over else ""
        return _refused(request, found.pk, code, now)
    if form.is_bound and form.is_valid():
        try:
            return _done(request, found.pk, now, act, done)
        except deciding.NothingOpen:
            form.add_error("slug", _("They have nothing open. Please choose a form."))
        except Unpublished:
            form.add_error("slug", _("This form isn't given any more. Please choose another."))
    voices = caseload.voices(found.case)
    _on_record(request, found, voices, now)
    context = {
        "practice": the_practice(),
        "section": "intake",
        "review": found,
        "step": step,
        "form": form,
        "voices": voices,
    }
    status = form.status if form.is_bound else 200
    return render(request, "duet/practice/desk_review_step.html", context, status=status)


def _on_record(
    request: MemberRequest, found: Review, voices: Iterable[Voice], now: datetime
) -> None:
    persons = [one.person for one in voices]
    reads.on_review(review=found, persons=persons, by=request.actor, now=now)
