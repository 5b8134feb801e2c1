"""Which forms come with which service, and how the practice keeps what is said alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from clients import doors
from clients.doors import MemberRequest
from clients.rules.permissions import Right
from intake.queries import giving as given
from practice.actions import form_rules
from practice.forms.rules import Kept, NewRule, Rule, Switched
from practice.models import FormRule
from practice.queries import forms, services
from practice.views.desk import the_practice


@dataclass(frozen=True, slots=True)
class Line:
    """One rule: the title of its form, none if nobody can be given it, and how to change it."""

    rule: FormRule
    title: str
    form: Rule


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of a service, or those for any with no name."""

    service: str
    lines: list[Line]


@doors.desk
@doors.about("form_rule", Right.MANAGE_PRACTICE)
@require_http_methods(["GET", "HEAD", "POST"])
def rules(request: MemberRequest) -> HttpResponse:
    """All rules by service; a POST adds one."""
    if request.method != "POST":
        return _page(request)
    form = _new(request)
    if form.is_valid():
        try:
            form_rules.add(values=form.values(), by=request.actor, now=timezone.now())
        except form_rules.Listed:
            form.add_error(
                None,
                _("There is such a rule already, perhaps switched off. Change it above instead."),
            )
        except form_rules.Unpublished:
            form.add_error("slug", _("This form isn't published any more."))
        else:
            messages.success(request, _("The rule is added: it holds for bookings from now on."))
            return redirect("practice:desk-form-rules")
    return _page(request, new=form, status=form.status)


@doors.desk
@doors.about("form_rule", Right.MANAGE_PRACTICE)
@require_POST
def change(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Change who is asked, how often, how long, by when and in what order."""
    found = _find(pk)
    form = Rule(request.POST, rule=found)
    if not form.is_valid():
        return _page(request, changed=form, status=form.status)
    form_rules.change(rule=found, values=form.values(), by=request.actor, now=timezone.now())
    messages.success(request, _("Changed, for what is given from now on."))
    return redirect("practice:desk-form-rules")


@doors.desk
@doors.about("form_rule", Right.MANAGE_PRACTICE)
@require_POST
def switch(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Switch a rule off, or on again."""
    found, form = _find(pk), Switched(request.POST)
    if not form.is_valid():
        return _page(request, status=form.status)
    active = form.cleaned_data["active"] == "yes"
    form_rules.change(rule=found, values={"active": active}, by=request.actor, now=timezone.now())
    messages.success(request, _("Switched on.") if active else _("Switched off."))
    return redirect("practice:desk-form-rules")


@doors.desk
@doors.about("practice", Right.MANAGE_PRACTICE)
@require_POST
def keep(request: MemberRequest) -> HttpResponse:
    """Say how what is said alone is kept, and within how many hours somebody looks."""
    form = Kept(request.POST, practice=the_practice())
    if not form.is_valid():
        return _page(request, kept=form, status=form.status)
    form_rules.keep(values=form.values(), by=request.actor, now=timezone.now())
    messages.success(request, _("Changed."))
    return redirect("practice:desk-form-rules")


def _find(pk: UUID) -> FormRule:
    """Refuses (404) what isn't there."""
    found = forms.rule(pk)
    if found is None:
        raise Http404
    return found


def _new(request: MemberRequest) -> NewRule:
    return NewRule(
        request.POST,
        instruments=given.givable(request.actor),
        services=services.active(),
    )


def _page(
    request: MemberRequest,
    *,
    new: NewRule | None = None,
    changed: Rule | None = None,
    kept: Kept | None = None,
    status: int = 200,
) -> HttpResponse:
    practice = the_practice()
    instruments = given.givable(request.actor)
    context = {
        "practice": practice,
        "section": "rules",
        "groups": _groups(forms.all_rules(), {one.slug: one.title for one in instruments}, changed),
        "new": new or NewRule(instruments=instruments, services=services.active()),
        "kept": kept or Kept(practice=practice),
    }
    return render(request, "duet/practice/desk_form_rules.html", context, status=status)


def _groups(rules: Iterable[FormRule], titles: dict[str, str], changed: Rule | None) -> list[Group]:
    groups: list[Group] = []
    for rule in rules:
        name = rule.service.name if rule.service else ""
        if not groups or groups[-1].service != name:
            groups.append(Group(name, []))
        refused = changed and changed.rule and changed.rule.pk == rule.pk
        form = changed if changed and refused else Rule(rule=rule)
        groups[-1].lines.append(Line(rule, titles.get(rule.slug, ""), form))
    return groups
