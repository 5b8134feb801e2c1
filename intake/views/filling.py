"""One form: its pages, what is kept meanwhile, the last look at all of it, and sending."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from clients import doors
from clients.rules import strict_json
from intake.actions import answering
from intake.actions.answering import Saved
from intake.forms.page import PageForm, Signature
from intake.queries import taking
from intake.rules import flags, pages
from intake.rules.definition import PRIVATE_CHECK
from intake.rules.pages import Page
from intake.views import frame, visit, words
from intake.views.frame import Form, Own

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])

# What another device, or the practice, did between the look at a form and its lock.
_NOT_NOW = (answering.Closed, answering.CheckFirst, answering.PolicyFirst)
_CLOSED = {"saved": False, "closed": True}
_HIDDEN = {"saved": False, "hidden": True}


@doors.visitor
@doors.about("response")
@require_safe
@frame.own
def resume(request: HttpRequest, own: Own, pk: UUID) -> HttpResponse:
    """To the first page with something open; to the last look where there is none."""
    form = frame.form(own, pk)
    if elsewhere := frame.first(request, form):
        return elsewhere
    page = frame.alone_first(request, form) or pages.first_open(form.pages, form.answers)
    return _to(form, page)


def _to(form: Form, page: Page | None) -> HttpResponse:
    if page is None:
        return redirect("intake:review", form.assignment.pk)
    return redirect("intake:page", form.assignment.pk, page.number)


# --- a page --------------------------------------------------------------------------------------


@doors.visitor
@doors.about("response")
@_read_or_send
@frame.own
def page(request: HttpRequest, own: Own, pk: UUID, number: int) -> HttpResponse:
    """One question, or a short page of them: shown, or kept and gone on from."""
    form = frame.form(own, pk)
    if elsewhere := frame.first(request, form):
        return _closed(request, form) if request.method == "POST" else elsewhere
    found = _page(request, form, number)
    if found is None:
        return resume_at(request, form)
    if request.method == "POST":
        return _go_on(request, form, found)
    page_form = _page_form(form, found)
    if frame.alone_first(request, form):
        # What an earlier visit said of who looks on is not chosen for this one.
        page_form.stored = {}
    return _show(request, form, found, page_form)


@doors.visitor
@doors.about("response")
@require_POST
@frame.own
def save(request: HttpRequest, own: Own, pk: UUID, number: int) -> HttpResponse:
    """Keep what is on a page meanwhile, for a program on it; it marks nothing as done.

    The body has the page's own fields, as a form or as JSON. Answers 409 what was changed
    elsewhere meanwhile or is closed, 422 what can't be taken, naming the field.
    """
    form = frame.form(own, pk)
    if frame.first(request, form):
        return JsonResponse(_CLOSED, status=409)
    found = _page(request, form, number)
    if found is None:
        return JsonResponse(_HIDDEN, status=422)
    try:
        data = _fields(request)
    except strict_json.Refused as refused:
        return JsonResponse({"saved": False, "error": refused.sentence}, status=400)
    page_form = _page_form(form, found, data)
    page_form.is_valid()
    if page_form.is_foreign:
        return JsonResponse({"saved": False, "errors": page_form.errors}, status=400)
    try:
        saved = _keep(request, form, found, page_form, seen=False)
    except _NOT_NOW:
        return JsonResponse(_CLOSED, status=409)
    except answering.Refused:
        return JsonResponse(_HIDDEN, status=422)
    told: dict[str, Any] = {
        "saved": not (saved.conflicts or saved.stopped or page_form.errors),
        "revision": saved.revision,
        "help": bool(saved.helps),
        "errors": {name: list(errors) for name, errors in page_form.errors.items()},
        "conflicts": list(saved.conflicts),
    }
    status = 409 if saved.conflicts else 422 if page_form.errors else 200
    return JsonResponse(told, status=status)


def _fields(request: HttpRequest) -> QueryDict:
    """The fields that were sent, whichever way. Refuses (strict_json.Refused) what is neither."""
    if request.content_type != "application/json":
        return request.POST
    found = strict_json.loads(request.body)
    if not isinstance(found, dict):
        raise strict_json.Refused("The text has to be one object, with the page's fields.")
    data = QueryDict(mutable=True)
    for name, value in found.items():
        data.setlist(name, [_told(one) for one in (value if isinstance(value, list) else [value])])
    return data


def _told(value: object) -> str:
    """A value of JSON as a form would send it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, str | int):
        return str(value)
    raise strict_json.Refused("An answer has to be a text, a number, or a list of them.")


def resume_at(request: HttpRequest, form: Form) -> HttpResponse:
    """A page that asks nothing now: to where there is something. What was sent to it is refused."""
    if request.method == "POST":
        return _not_asked(request, form)
    return _to(form, frame.alone_first(request, form) or pages.first_open(form.pages, form.answers))


def _not_asked(request: HttpRequest, form: Form) -> HttpResponse:
    context = frame.context(form.own, pk=form.assignment.pk)
    return render(request, "duet/intake/not_asked.html", context, status=422)


def _page(request: HttpRequest, form: Form, number: int) -> Page | None:
    """The page of this number, if it may be shown now."""
    stopper = frame.alone_first(request, form)
    if stopper is not None and stopper.number != number:
        return None
    return pages.page_of(form.pages, number)


def _page_form(form: Form, page: Page, data: QueryDict | None = None) -> PageForm:
    return PageForm(
        form.definition,
        page,
        texts=form.texts,
        today=form.own.today,
        say=words.wrong,
        stored=form.answers,
        data=data,
    )


def _closed(request: HttpRequest, form: Form) -> HttpResponse:
    """Sent to a form that takes nothing more."""
    context = frame.context(form.own, title=form.title)
    return render(request, "duet/intake/closed.html", context, status=409)


def _too_late(request: HttpRequest, form: Form) -> HttpResponse:
    """Send was pressed on what takes nothing more: a second tap leads to the thanks, too."""
    if taking.was_sent(form.assignment):
        return redirect("intake:sent", form.assignment.pk)
    return _closed(request, form)


def _keep(
    request: HttpRequest, form: Form, page: Page, page_form: PageForm, *, seen: bool
) -> Saved:
    """Keep what can be taken of a page, and whether nobody looks on in this visit."""
    saved = answering.save(
        assignment=form.assignment,
        values=page_form.values(seen=seen),
        revision=page_form.revision,
        by=form.own.by,
        now=form.own.now,
    )
    if saved.stopped:
        visit.drop_alone(request.session)
    elif page.stops and not saved.conflicts and not page_form.errors:
        answered = page_form.cleaned_data.get(f"q-{page.stops.id}")
        if answered is not None and answered.value == page.stops.stop_unless:
            visit.keep_alone(request.session, form.assignment)
    return saved


def _go_on(request: HttpRequest, form: Form, page: Page) -> HttpResponse:
    """Keep what can be taken; then on, back, or to the page again with what is wrong."""
    page_form = _page_form(form, page, request.POST)
    page_form.is_valid()
    if page_form.is_foreign:
        return _show(request, form, page, page_form, status=400)
    back = request.POST.get("go") == "back"
    page_form.ask_which()
    if not back:
        page_form.require(words.wrong("required", None))
    try:
        saved = _keep(request, form, page, page_form, seen=not back)
    except _NOT_NOW:
        return _closed(request, form)
    except answering.Refused:
        return _not_asked(request, form)
    if saved.stopped:
        return redirect("intake:later")
    form = frame.form(form.own, form.assignment.pk)
    if saved.conflicts:
        return _ask_which(request, form, page, page_form, saved)
    if page_form.errors:
        return _show(request, form, page, page_form, status=422)
    if saved.helps and not request.POST.get("helped"):
        return redirect("intake:help", form.assignment.pk, page.number)
    if back:
        before = pages.before(form.pages, page.number)
        return _to(form, before) if before else redirect("intake:mine")
    return _to(form, pages.after(form.pages, page.number))


def _ask_which(
    request: HttpRequest, form: Form, page: Page, page_form: PageForm, saved: Saved
) -> HttpResponse:
    """Another device answered in another way meanwhile: both are shown, and one is chosen."""
    elsewhere = {}
    for item in page.questions:
        if item.id in saved.conflicts:
            said = words.said(form.definition, item, form.answers.get(item.id), form.texts)
            elsewhere[item.id] = said or _("No answer")
    return _show(
        request, form, page, page_form, status=409, elsewhere=elsewhere, helps=bool(saved.helps)
    )


def _show(
    request: HttpRequest,
    form: Form,
    page: Page,
    page_form: PageForm,
    *,
    status: int = 200,
    elsewhere: dict[str, str] | None = None,
    helps: bool = False,
) -> HttpResponse:
    step, steps = pages.step(
        form.definition, form.answers, page.number, short=form.assignment.short
    )
    guarded = form.assignment.slug == PRIVATE_CHECK
    context = frame.context(
        form.own,
        pk=form.assignment.pk,
        number=page.number,
        title=form.title,
        lang=form.language,
        section=form.texts.get(f"sections.{page.section.id}.title", ""),
        section_intro=form.texts.get(f"sections.{page.section.id}.intro", ""),
        intro=form.texts.get("intro", "") if step == 1 else "",
        statement=form.texts.get("statement", "") if step == 1 else "",
        notice=form.definition.notice,
        opens=page.opens,
        who_sees=words.who_sees(form.definition, guarded=guarded) if page.opens else [],
        step=step,
        steps=steps,
        form=page_form,
        questions=list(page_form.questions(elsewhere)),
        elsewhere=" ".join(elsewhere or ()),
        revision=form.revision,
        helps=helps or _helps_on(form, page),
        may_help=_may_help(form, page),
        back=bool(pages.before(form.pages, page.number)),
    )
    return render(request, "duet/intake/page.html", context, status=status)


# --- help at once --------------------------------------------------------------------------------


def _helps_on(form: Form, page: Page) -> bool:
    """Whether an answer that is kept on this page is one for which help is shown at once."""
    here = {one.id for one in page.questions}
    raised = flags.raised(form.definition, form.answers, sent=False, short=form.assignment.short)
    return any(one.shows_help and one.item in here for one in raised)


def _may_help(form: Form, page: Page) -> bool:
    """Whether an answer on this page could be one."""
    here = {one.id for one in page.questions}
    return any(one.shows_help and one.item in here for one in form.definition.staff_flags)


@doors.visitor
@doors.about("response")
@require_safe
@frame.own
def help_now(request: HttpRequest, own: Own, pk: UUID, number: int) -> HttpResponse:
    """Whom to turn to, before going on; for those whose browser couldn't show it at once."""
    form = frame.form(own, pk)
    if elsewhere := frame.first(request, form):
        return elsewhere
    found = _page(request, form, number)
    if found is None or not _helps_on(form, found):
        return resume_at(request, form)
    following = pages.after(form.pages, number)
    context = frame.context(
        own, pk=pk, next=following.number if following else None, title=form.title
    )
    return render(request, "duet/intake/help.html", context)


# --- the last look, and sending ------------------------------------------------------------------


@doors.visitor
@doors.about("response")
@_read_or_send
@frame.own
def review(request: HttpRequest, own: Own, pk: UUID) -> HttpResponse:
    """All that was answered, what is still missing, the name beneath it, and the button."""
    form = frame.form(own, pk)
    if elsewhere := frame.first(request, form):
        return _too_late(request, form) if request.method == "POST" else elsewhere
    if stopper := frame.alone_first(request, form):
        return _to(form, stopper)
    if request.method == "POST":
        return _send(request, form)
    return _look(request, form, _signature(form))


def _signature(form: Form, data: QueryDict | None = None) -> Signature:
    line = next((one for one in form.definition.items if one.kind == "signature"), None)
    label = form.texts.get(f"items.{line.id}", "") if line else ""
    return Signature(
        data,
        signs=pages.to_sign(form.definition),
        label=label or _("Your full name, as your signature"),
    )


def _send(request: HttpRequest, form: Form) -> HttpResponse:
    signature = _signature(form, request.POST)
    if not signature.is_valid():
        return _look(request, form, signature, status=signature.status)
    try:
        answering.send(
            assignment=form.assignment,
            signed_name=signature.cleaned_data.get("signed_name", ""),
            by=form.own.by,
            now=form.own.now,
        )
    except answering.Incomplete as refused:
        # Of what another device took away meanwhile, too.
        form = frame.form(form.own, form.assignment.pk)
        return _look(request, form, signature, status=422, empty=refused.empty, asked=True)
    except _NOT_NOW:
        return _too_late(request, form)
    return redirect("intake:sent", form.assignment.pk)


def _look(
    request: HttpRequest,
    form: Form,
    signature: Signature,
    *,
    status: int = 200,
    empty: bool = False,
    asked: bool = False,
) -> HttpResponse:
    missing = pages.missing(form.pages, form.answers)
    lacking = {item.id for _page, item in missing}
    rows = [
        {
            "section": form.texts.get(f"sections.{page.section.id}.title", "")
            if page.opens and item is page.questions[0]
            else "",
            "number": page.number,
            "id": f"id_q-{item.id}",
            "text": form.texts.get(f"items.{item.id}", ""),
            "said": words.said(form.definition, item, form.answers.get(item.id), form.texts),
            "missing": item.id in lacking,
        }
        for page in form.pages
        for item in page.questions
    ]
    context = frame.context(
        form.own,
        pk=form.assignment.pk,
        title=form.title,
        lang=form.language,
        rows=rows,
        missing=[one for one in rows if one["missing"]],
        empty=empty,
        asked=asked,
        form=signature,
        signs="signed_name" in signature.fields,
        notice=form.definition.notice,
        statement=form.texts.get("statement", ""),
        last=form.pages[-1].number if form.pages else None,
    )
    return render(request, "duet/intake/review.html", context, status=status)


@doors.visitor
@doors.about("assignment")
@require_safe
@frame.own
def sent(request: HttpRequest, own: Own, pk: UUID) -> HttpResponse:
    """Thank you. Nothing of what was sent is read back here, and nothing of anybody else's."""
    assignment = taking.assignment(own.intake, pk)
    if assignment is None:
        raise Http404
    if taking.is_open(assignment, own.now):
        return redirect("intake:form", pk)
    waiting = [one for one in taking.listed(own.intake, own.now) if not one.is_sent]
    following = next((one for one in waiting if not one.locked), None)
    context = frame.context(
        own,
        next=following.assignment.pk if following else None,
        minutes=following and following.minutes,
    )
    return render(request, "duet/intake/sent.html", context)
