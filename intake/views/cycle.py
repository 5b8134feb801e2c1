"""A couple's cycle at the desk: the map, the same in numbers, earlier rounds, and its release."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clients import doors
from clients.actions import audit
from clients.doors import MemberRequest
from clients.models import Case
from clients.queries import care
from clients.rules.permissions import NotPermitted
from intake.actions import releasing
from intake.forms.cycle import Button, Parts
from intake.models import Flag
from intake.models.safety import is_in_safe_mode
from intake.queries import cycle as queries
from intake.queries import release as releases
from intake.queries.cycle import Round
from intake.rules import chart, wording
from intake.rules import map as cycle_map
from intake.rules import release as rules
from intake.rules.answers import Answers
from intake.rules.chart import Reading
from intake.rules.cycle import OTHER, PEOPLE, Reflection, Who, reflect, respondent
from intake.rules.definition import Definition
from intake.rules.picture import Move, Picture, Side, Theme, home, paint
from intake.templatetags import duet_cycle
from intake.views import cycle_words, multiples
from intake.views.multiples import Multiple

READ = "cycle.read"
# So many letters of a name have room in a loop of the line on a phone.
_IN_A_LOOP = 9


def find(request: MemberRequest, pk: UUID) -> Case:
    """Refuses (404) a case whose record they may not read, as one that isn't there."""
    found = queries.case(request.actor, pk)
    if found is None:
        raise Http404
    return found


def _find_own(request: MemberRequest, pk: UUID) -> Case:
    """Refuses as `find`, and (NotPermitted) whoever reads the case and doesn't counsel it."""
    found = find(request, pk)
    if not care.counsels(request.actor, found):
        raise NotPermitted
    return found


@doors.desk
@doors.about("response")
@require_safe
def cycle(request: MemberRequest, pk: UUID) -> HttpResponse:
    """A case's cycle: the round that is asked for, or the last."""
    return _page(request, find(request, pk), _asked(request.GET.get("round", "")))


def _asked(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else None


@doors.desk
@doors.about("release")
@require_POST
def release(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Let the couple see the parts that are ticked."""
    found = _find_own(request, pk)
    form = Parts(request.POST)
    if not form.is_valid():
        return _page(request, found, None, status=form.status)
    number = form.cleaned_data["number"]
    try:
        releasing.release(
            case=found, number=number, parts=form.parts, by=request.actor, now=timezone.now()
        )
    except releasing.CannotRelease as refused:
        return _page(request, found, number, refused=refused, status=422)
    return redirect(f"{reverse('intake:cycle', args=[pk])}?{urlencode({'round': number})}")


@doors.desk
@doors.about("release")
@require_POST
def withdraw(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Take back what the couple may see."""
    found = _find_own(request, pk)
    if not Button(request.POST).is_valid():
        return _page(request, found, None, status=400)
    releasing.withdraw(case=found, by=request.actor, now=timezone.now())
    return redirect("intake:cycle", pk=pk)


# --- a round -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the map, with what both say about it."""

    label: str
    a: Move | Theme
    b: Move | Theme


@dataclass(frozen=True, slots=True)
class Seen:
    """One round with both accounts put together."""

    names: Mapping[Who, str]
    marks: Mapping[Who, str]
    definition: Definition
    picture: Picture

    @property
    def reflection(self) -> Reflection:
        return self.picture.reflection

    @property
    def alone(self) -> Who | None:
        """Whose view it is where all of the map comes from one of them."""
        return respondent(self.reflection)

    @property
    def long_names(self) -> bool:
        """Whether a name is too long for its loop of the line."""
        return any(len(one) > _IN_A_LOOP for one in self.names.values())

    @property
    def moves(self) -> list[Row]:
        return self._rows(duet_cycle.move_words, "name", self.picture.a.moves, self.picture.b.moves)

    @property
    def feelings(self) -> list[Row]:
        """What lies beneath; empty where the round didn't ask it, as the short form doesn't."""
        a, b = self.picture.sides
        return self._themes(a.feelings, b.feelings)

    @property
    def reasons(self) -> list[Row]:
        """What needing space is made of; empty as `feelings`."""
        a, b = self.picture.sides
        return self._themes(a.reasons, b.reasons)

    @property
    def asks_beneath(self) -> bool:
        """Whether there is anything of what lies beneath."""
        return bool(self.feelings or self.reasons)

    @property
    def has_repair(self) -> bool:
        """Whether either of them said how they find each other again."""
        return any(side.repair is not None for side in self.picture.sides)

    @property
    def parts(self) -> tuple[str, ...]:
        """What there is to release of it."""
        there = {
            "feelings": self.feelings,
            "reasons": self.reasons,
            "repair": self.has_repair,
        }
        return tuple(one for one in rules.PARTS if there.get(one, True))

    def _themes(self, a: Sequence[Theme], b: Sequence[Theme]) -> list[Row]:
        told = any(one.is_told for one in (*a, *b))
        return self._rows(duet_cycle.theme_words, "theme", a, b) if told else []

    def _rows(
        self,
        words: Callable[[str], str],
        called: str,
        a: Sequence[Move | Theme],
        b: Sequence[Move | Theme],
    ) -> list[Row]:
        pairs = zip(a, b, strict=True)
        return [Row(words(getattr(one, called)), one, other) for one, other in pairs]


def seen(found: Round) -> Seen:
    """A round's answers, opened and put together."""
    definition = queries.definition(found)
    full: dict[Who, str] = {}
    marks: dict[Who, str] = {"A": "a", "B": "b"}
    answers: dict[Who, Answers | None] = {"A": None, "B": None}
    for who, voice, response in zip(PEOPLE, found.voices, found.responses, strict=False):
        full[who], marks[who] = str(voice.person.shown_name), voice.mark
        answers[who] = queries.answers(response)
    names: dict[Who, str] = {"A": "", "B": _("the other")}
    names.update(cycle_words.called(full))
    reflection = reflect(definition, answers["A"], answers["B"], short=found.asked_short)
    picture = paint(definition, reflection, answers)
    return Seen(names, marks, definition, picture)


@dataclass(frozen=True, slots=True)
class Account:
    """One person's own account, where the two are not to be seen together."""

    name: str
    mark: str
    own: Side
    # How they see the other one.
    other: Side
    readable: bool

    @property
    def beneath(self) -> list[Row]:
        """What lies beneath, and what needing space is made of: their own, and their guess."""
        own = (*self.own.feelings, *self.own.reasons)
        other = (*self.other.feelings, *self.other.reasons)
        if not any(one.is_told for one in (*own, *other)):
            return []
        pairs = zip(own, other, strict=True)
        return [Row(duet_cycle.theme_words(one.theme), one, guess) for one, guess in pairs]


def accounts(found: Round) -> list[Account]:
    """Each who answered by themselves: nothing of it is compared, and no dance is named."""
    told = []
    for voice, response in zip(found.voices, found.responses, strict=True):
        if response is None:
            continue
        definition, answers = response.assignment.instrument.parsed, queries.answers(response)
        short: tuple[Who, ...] = ("A",) if response.assignment.short else ()
        reflection = reflect(definition, answers, None, short=short)
        picture = paint(definition, reflection, {"A": answers, "B": None})
        name = str(voice.person.shown_name)
        told.append(Account(name, voice.mark, picture.a, picture.b, answers is not None))
    return told


def _own_account(found: Seen) -> Account | None:
    """The account of whose view a round is, where the other one has sent nothing."""
    who = found.alone
    if who is None:
        return None
    own, other = found.picture.side(who), found.picture.side(OTHER[who])
    if other.answered:
        return None
    return Account(found.names[who], found.marks[who], own, other, own.answered)


# --- earlier rounds ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Past:
    """A round in a line: what it was, in words and in whole numbers."""

    round: Round
    seen: Seen
    words: str


def over_time(known: Sequence[Past]) -> list[Multiple]:
    """The two moves and the way back to each other over all rounds, on one axis."""
    if len(known) < 2:
        return []
    values: list[tuple[str, Callable[[Side], Fraction | None]]] = [
        (_("Reaching"), lambda side: side.reach.both),
        (_("Stepping back"), lambda side: side.step.both),
        (_("Finding each other again"), lambda side: side.repair),
    ]
    along = chart.axis(one.round.ended_at for one in known)
    latest = known[-1].seen
    found = [
        multiples.multiple(
            label,
            [
                multiples.Voice(
                    latest.names[who], latest.marks[who], tuple(_readings(known, who, value))
                )
                for who in PEOPLE
            ],
            along=along,
            limits=(Fraction(0), Fraction(100)),
        )
        for label, value in values
    ]
    return [one for one in found if one.is_over_time]


def _readings(
    known: Sequence[Past], who: Who, value: Callable[[Side], Fraction | None]
) -> list[Reading]:
    return [
        Reading(
            one.round.ended_at,
            value(one.seen.picture.side(who)),
            one.round.instrument.version,
            one.round.number,
        )
        for one in known
    ]


# --- the page ------------------------------------------------------------------------------------


def _page(
    request: MemberRequest,
    case: Case,
    number: int | None,
    *,
    refused: releasing.CannotRelease | None = None,
    status: int = 200,
) -> HttpResponse:
    actor, now = request.actor, timezone.now()
    voices = queries.voices(case)
    audit.record_reads(
        verb=READ,
        persons=[(one.person.pk, case.pk) for one in voices],
        subject=("case", case.pk),
        by=actor,
        now=now,
    )
    rounds = queries.rounds(actor, case)
    shown = next((one for one in rounds if one.number == number), rounds[-1] if rounds else None)
    context: dict[str, Any] = {
        "section": "cases",
        "case": case,
        "names": " & ".join(str(one.person.shown_name) for one in voices if not one.left),
        "voices": voices,
        "rounds": list(reversed(rounds)),
        "shown": shown,
    }
    if shown is not None:
        context |= _shown(request, case, shown, rounds)
        context |= _sharing(request, case, shown, context.get("seen"), refused)
    return render(request, "duet/intake/cycle.html", context, status=status)


def _shown(
    request: MemberRequest, case: Case, shown: Round, rounds: Sequence[Round]
) -> dict[str, Any]:
    """What there is to see of a round; the two apart while a flag is open.

    Who isn't told of every flag sees them apart at any time: else the day on which the map is gone
    would tell them.
    """
    reads = queries.reads_both(request.actor, case)
    held = is_in_safe_mode(case)
    if held or not reads or not shown.same_version:
        flags = Flag.objects.visible_to(request.actor).open().filter(case=case.pk)
        told = held and flags.exists()
        return {
            "held": told,
            "apart": not reads,
            "accounts": accounts(shown),
        }
    found = seen(shown)
    language = get_language() or "en"
    known = [Past(one, found if one is shown else seen(one), "") for one in rounds]
    known = [
        Past(one.round, one.seen, cycle_words.headline(one.seen.reflection, one.seen.names))
        for one in known
        if one.round.same_version
    ]
    alone = found.alone is not None
    prompts = cycle_words.prompts(found.definition, found.picture, found.names, language)
    # A round of the short form says when the rest was asked last.
    asked = (one for one in reversed(known) if one.round.number < shown.number)
    return {
        "seen": found,
        "title": _title(found),
        "headline": cycle_words.headline(found.reflection, found.names),
        "tentative": cycle_words.tentative(found.reflection, found.names),
        "alone": alone,
        "unreadable": [
            str(voice.person.shown_name)
            for voice, response in zip(shown.voices, shown.responses, strict=True)
            if response is not None and queries.answers(response) is None
        ],
        "dances": cycle_words.dances(found.reflection, found.names),
        "prompts": prompts,
        "nothing": ""
        if prompts and not alone
        else cycle_words.nothing_to_bring_up(found.picture, found.names, found.asks_beneath),
        "account": _own_account(found),
        "asked_last": next((one.round for one in asked if one.seen.asks_beneath), None),
        "home": _home(found, language),
        "by_the_other": [
            cycle_words.seen_by_the_other(found.definition, side, found.names)
            for side in found.picture.sides
        ],
        "strokes": {"a": cycle_map.stroke("a"), "b": cycle_map.stroke("b")},
        "map_box": cycle_map.VIEW_BOX,
        "strip_box": cycle_map.AXIS_BOX,
        "ticks": cycle_map.ticks(4),
        "past": list(reversed(known)) if len(known) > 1 else [],
        "panels": over_time(known),
        "statement": wording.text(found.definition, "statement", language),
    }


def _title(found: Seen) -> str:
    if found.alone is None:
        return _("The cycle")
    return _("How %(one)s sees it") % {"one": found.names[found.alone]}


def _home(found: Seen, language: str) -> list[tuple[str, str]]:
    """What each said about the home they come from: for the clinician alone."""
    item = found.definition.item(home(found.definition))
    if item is None:
        return []
    return [
        (
            found.names[side.who],
            wording.text(found.definition, f"scales.{item.scale}.{side.home}", language),
        )
        for side in found.picture.sides
        if side.home
    ]


def _sharing(
    request: MemberRequest,
    case: Case,
    shown: Round,
    found: Seen | None,
    refused: releasing.CannotRelease | None,
) -> dict[str, Any]:
    """Who agrees, what is released, and what stands in the way of it."""
    if case.couple_id is None:
        return {}
    standing = releases.standing(case)
    there = [one for one in shown.voices if not one.left]
    return {
        "agreements": [(one, standing.agreed.get(one.person.pk)) for one in there],
        "all_agree": all(standing.agrees(one.person) for one in there),
        "released": standing.release,
        "released_round": standing.release.first.assignment.number if standing.release else None,
        "may_release": care.counsels(request.actor, case),
        "parts": found.parts if found else rules.PARTS,
        "refusals": cycle_words.refusals(refused, shown) if refused else [],
    }
