"""What a couple may look at together, what each said on that, and how one sees it by themselves.

Whatever stands in the way of a couple's page, it is the same page as when nothing was released.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from clients import doors
from clients.doors import PersonRequest
from clients.rules.actors import PROOF_SECOND
from intake.actions import answering
from intake.forms.cycle import Share
from intake.models import Response
from intake.queries import cycle as queries
from intake.queries import release as releases
from intake.queries.release import Together
from intake.rules import release as rules
from intake.rules import wording
from intake.rules.answers import Answers
from intake.rules.cycle import PEOPLE, Reflection, Who, reflect
from intake.rules.definition import Definition
from intake.rules.picture import Picture, Side, Theme, Value, option_of, paint
from intake.rules.scoring import half_up

# A step of the answers on a score of 0 to 100.
_STEP: Final = Fraction(25)


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said of themselves, word for word, and how often it fits."""

    words: str
    often: str


@dataclass(frozen=True, slots=True)
class Told:
    """One person in a part of the page."""

    name: str
    lead: str
    moves: tuple[Said, ...] = ()
    said: tuple[Said, ...] = ()


# --- together ------------------------------------------------------------------------------------


@doors.portal_proved
@doors.about("release")
@require_safe
def together(request: PersonRequest) -> HttpResponse:
    """What was released to the two, in the words of the questions; or that there is nothing yet."""
    found = releases.shown_to(request.actor)
    return _page(request, "together", _released(found) if found else {})


def _released(found: Together) -> dict[str, object]:
    """The released parts and no others.

    Nothing where an account can't be opened any more, and where all comes from one of them: that is
    theirs alone.
    """
    both = {"A": found.first, "B": found.second}
    definition = found.first.assignment.instrument.parsed
    answers: dict[Who, Answers | None] = {who: queries.answers(both[who]) for who in PEOPLE}
    if answers["A"] is None or answers["B"] is None:
        return {}
    names = {who: str(both[who].assignment.intake.person.shown_name) for who in PEOPLE}
    short = {who for who in PEOPLE if both[who].assignment.short}
    reflection = reflect(definition, answers["A"], answers["B"], short=short)
    if rules.unfit(reflection):
        return {}
    picture = paint(definition, reflection, answers)
    words = _Words(definition, get_language() or "en")
    question = _("What would you like to ask each other about this?")
    context: dict[str, object] = {"shown": True, "footer": words.of("wording.results.footer")}
    if "dance" in found.parts:
        dance, asked = _question(words.of(f"wording.results.{result_key(reflection)}"))
        question = asked or question
        context["dance"] = dance
        context["tentative"] = (
            words.of("wording.results.tentative_note") if reflection.tentative else ""
        )
    if "positions" in found.parts:
        context["positions"] = [
            Told(names[side.who], _position(side), words.moves(side)) for side in picture.sides
        ]
    if "feelings" in found.parts:
        context["feelings"] = _told(words, names, picture, "feelings")
    if "reasons" in found.parts:
        context["reasons"] = _told(words, names, picture, "reasons")
    if "repair" in found.parts:
        context["repair"] = words.often(reflection.repair_couple["lower"])
    return context | {"question": question}


def result_key(found: Reflection) -> str:
    """Under which key the words of a dance stand."""
    return f"{found.dance}_{found.kind}" if found.kind else found.dance


def _told(words: "_Words", names: Mapping[Who, str], picture: Picture, part: str) -> list[Told]:
    """What each says often of themselves; what they didn't say leaves no trace."""
    found = []
    for side in picture.sides:
        themes = side.feelings if part == "feelings" else side.reasons
        said = words.said(themes)
        lead = _("%(name)s told us:") if said else _("%(name)s named nothing here as often.")
        found.append(Told(names[side.who], lead % {"name": names[side.who]}, said=said))
    return found


def _position(side: Side) -> str:
    return {
        "reaching": _("It looks as if they mostly reach in these moments."),
        "stepping_back": _("It looks as if they mostly step back in these moments."),
        "both": _("It looks as if they reach and step back, by turns."),
        "settled": _("It looks as if they stay steady in these moments."),
    }.get(side.position or "", _("There are not enough answers yet to say."))


def _question(text: str) -> tuple[str, str]:
    """A text without the question at its end, and that question; the page ends with it."""
    *rest, last = re.split(r"(?<=[.?!”\"])\s+", text.strip())
    return (" ".join(rest), last) if rest and last.endswith("?") else (text, "")


class _Words:
    """The instrument's own words in somebody's language."""

    def __init__(self, definition: Definition, language: str) -> None:
        self._definition = definition
        self._texts = wording.texts(definition, language)

    def of(self, key: str) -> str:
        return self._texts.get(key, "")

    def often(self, score: Value) -> str:
        """A score on the scale of the questions, in its words."""
        item = self._definition.items[0]
        if score is None:
            return ""
        code = option_of(self._definition, item, half_up(score / _STEP))
        return self.of(f"scales.{item.scale}.{code}")

    def moves(self, side: Side, *, seen: bool = False) -> tuple[Said, ...]:
        """How often somebody makes each of the two moves, from both views or from one."""
        values = [
            (_("Reaching"), side.reach.seen if seen else side.reach.both),
            (_("Stepping back"), side.step.seen if seen else side.step.both),
        ]
        return tuple(Said(label, self.often(value)) for label, value in values if value is not None)

    def said(self, themes: Iterable[Theme]) -> tuple[Said, ...]:
        """Those that somebody says often, what fits most first."""
        named = sorted((one for one in themes if one.named), key=lambda one: -(one.own or 0))
        return tuple(
            Said(self.of(f"items.{one.id}.self"), self.often(_STEP * (one.own or 0)))
            for one in named
        )


# --- by oneself ----------------------------------------------------------------------------------


@doors.portal_proved
@doors.about("response")
@require_safe
def reflection(request: PersonRequest) -> HttpResponse:
    """How a person sees it: from their own answers alone.

    It names no dance, whoever asks: so a flag of either changes nothing on it.
    """
    found = queries.own(request.actor)
    return _page(request, "reflection", _own(found) if found else {})


def _own(found: Response) -> dict[str, object]:
    definition, answers = found.assignment.instrument.parsed, queries.answers(found)
    if answers is None:
        return {}
    short: tuple[Who, ...] = ("A",) if found.assignment.short else ()
    reflected = reflect(definition, answers, None, short=short)
    picture = paint(definition, reflected, {"A": answers, "B": None})
    words = _Words(definition, get_language() or "en")
    return {
        "shown": True,
        "prefix": words.of("wording.results.one_view_prefix").rstrip(": "),
        "sent_at": found.sent_at,
        "moves": words.moves(picture.a),
        "other_moves": words.moves(picture.b, seen=True),
        "feelings": words.said(picture.a.feelings),
        "reasons": words.said(picture.a.reasons),
        "repair": words.often(picture.a.repair),
        "footer": words.of("wording.results.footer"),
        "question": _("What of this would you like your counselor to understand first?"),
    }


# --- one's own word on sharing -------------------------------------------------------------------


@doors.portal_proved
@doors.about("agreement")
@require_http_methods(["GET", "HEAD", "POST"])
def sharing(request: PersonRequest) -> HttpResponse:
    """Agree that a summary is shown to both, or take that back. Nothing of it tells of the other.

    Refuses (404) a case that isn't this person's, as one that isn't there.
    """
    words = releases.own_words(request.actor)
    if request.method != "POST":
        return _page(request, "sharing", {"words": words, "text": share_text()})
    form = Share(request.POST)
    if not form.is_valid():
        context = {"words": words, "text": share_text()}
        return _page(request, "sharing", context, status=form.status)
    case = next((one.case for one in words if one.case.pk == form.cleaned_data["case"]), None)
    if case is None:
        raise Http404
    answering.share(
        case=case,
        person=request.portal.person,
        agreed=form.cleaned_data["agreed"],
        version=rules.SHARE_VERSION,
        words=share_text(),
        language=get_language() or "en",
        by=request.actor,
        now=timezone.now(),
    )
    return redirect("intake:sharing")


def share_text() -> str:
    """What a person agrees to; it is kept as they read it."""
    return _(
        "My counselor may show a summary of what we both answered to the two of us, once my "
        "partner agrees too. They go through it with us first. I can take this back at any time, "
        "and don't have to say why."
    )


def _page(
    request: PersonRequest, name: str, context: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    shared = {
        "who": request.portal.person,
        "zone": request.portal.person.zone,
        "proved": request.portal.proof >= PROOF_SECOND,
    }
    return render(request, f"duet/intake/{name}.html", shared | dict(context), status=status)
