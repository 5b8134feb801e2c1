"""How each score of a case changes over time: one axis, a line for each, the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from clients import doors
from clients.actions import audit
from clients.doors import MemberRequest
from intake.models.safety import is_in_safe_mode
from intake.queries import change as queries
from intake.queries.change import Form
from intake.queries.cycle import SCORER, Voice, reads_both, voices
from intake.rules import change as rules
from intake.rules import chart, wording
from intake.rules.change import Step
from intake.rules.chart import Axis, Reading
from intake.rules.definition import Change, Cut, Definition, Subscale, exact
from intake.templatetags.duet_cycle import category_words, signed
from intake.views import cycle_words, multiples
from intake.views.cycle import find
from intake.views.multiples import Multiple

READ = "change.read"


@dataclass(frozen=True, slots=True)
class Score:
    """One subscale over time, and what became of it in words."""

    multiple: Multiple
    sentences: tuple[str, ...]
    # Published thresholds and errors that the picture shows, with where they stand.
    cited: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """One form."""

    title: str
    # Of the form that sees two together: what it can't say. Others' are for who fills them in.
    statement: str
    # What was answered more than once, or has a published threshold; and what is a number so far.
    scores: tuple[Score, ...]
    once: tuple[Multiple, ...]
    # Whether some of it is what one says of the other.
    two_views: bool


@doors.desk
@doors.about("response")
@require_safe
def change(request: MemberRequest, pk: UUID) -> HttpResponse:
    """Every scored form that a case has sent, over time."""
    case, actor, now = find(request, pk), request.actor, timezone.now()
    everybody = voices(case)
    audit.record_reads(
        verb=READ,
        persons=[(one.person.pk, case.pk) for one in everybody],
        subject=("case", case.pk),
        by=actor,
        now=now,
    )
    # What sees the two together is silent while a flag is open, and always for who isn't told of
    # every flag: its silence would tell them.
    apart = not reads_both(actor, case)
    held = is_in_safe_mode(case) and not apart
    forms = queries.forms(actor, case)
    shown = [one for one in forms if not ((held or apart) and one.definition.scorer == SCORER)]
    moments = [row.response.sent_at for one in shown for row in one.sent if row.response.sent_at]
    along = chart.axis(moments) if moments else None
    told = [_shown(one, everybody, along) for one in shown] if along else []
    context = {
        "section": "cases",
        "case": case,
        "names": " & ".join(str(one.person.shown_name) for one in everybody if not one.left),
        # What has changed comes first.
        "forms": sorted(told, key=lambda one: not one.scores),
        "held": held and len(shown) < len(forms),
        "apart": apart and len(shown) < len(forms),
    }
    return render(request, "duet/intake/change.html", context)


def _shown(form: Form, everybody: Sequence[Voice], along: Axis) -> Shown:
    language = get_language() or "en"
    definition = form.definition
    scores = [
        _score(form, subscale, everybody, along, language) for subscale in definition.subscales
    ]
    of_two = definition.scorer == SCORER
    return Shown(
        title=wording.text(definition, "title", language),
        statement=wording.text(definition, "statement", language) if of_two else "",
        scores=tuple(one for one in scores if one.multiple.is_over_time or one.cited),
        once=tuple(one.multiple for one in scores if not (one.multiple.is_over_time or one.cited)),
        two_views=of_two,
    )


def _score(
    form: Form, subscale: Subscale, everybody: Sequence[Voice], along: Axis, language: str
) -> Score:
    definition = form.definition
    known = next((one for one in definition.change if one.subscale == subscale.id), None)
    cuts = [one for one in definition.cuts if one.subscale == subscale.id]
    index = rules.rci(known) if known else None
    names = cycle_words.called({one.person.pk: str(one.person.shown_name) for one in everybody})
    lines = [
        multiples.Voice(names[voice.person.pk], voice.mark, _readings(form, voice, subscale.id))
        for voice in everybody
        if any(row.person_id == voice.person.pk for row in form.sent)
    ]
    return Score(
        multiple=multiples.multiple(
            wording.text(definition, f"subscales.{subscale.id}", language) or subscale.label,
            lines,
            along=along,
            limits=subscale.range,
            cuts=[one.value for one in cuts],
            rci=None if index is None else Fraction(index),
        ),
        sentences=tuple(_sentences(definition, subscale, known, lines)),
        cited=tuple(_cited(cuts, known, index)),
    )


def _readings(form: Form, voice: Voice, subscale: str) -> tuple[Reading, ...]:
    return tuple(
        Reading(
            row.response.sent_at,
            row.scores.get(subscale),
            row.version,
            row.response.assignment.number,
        )
        for row in form.sent
        if row.person_id == voice.person.pk and row.response.sent_at is not None
    )


# --- in words ------------------------------------------------------------------------------------


def _sentences(
    definition: Definition,
    subscale: Subscale,
    known: Change | None,
    lines: Sequence[multiples.Voice],
) -> list[str]:
    """What became of each one's score, and of the couple's: the less favourable, never the mean."""
    same = (definition.scoring.get("thresholds") or {}).get("about_the_same")
    same_below = None if same is None else exact(same)
    told, first_to_last = [], []
    for line in lines:
        values = _comparable(line.readings)
        if len(values) < 2:
            continue
        whole = rules.step(known, subscale.better, values[0], values[-1], same_below=same_below)
        last = rules.step(known, subscale.better, values[-2], values[-1], same_below=same_below)
        first_to_last.append(whole)
        words = {"name": line.name, "whole": _step(whole), "last": _step(last)}
        if len(values) == 2:
            told.append(_("%(name)s: %(whole)s.") % words)
        else:
            told.append(
                _("%(name)s: first to last %(whole)s; since the last time %(last)s.") % words
            )
    if len(first_to_last) == 2 and len(lines) == 2:
        categories = [one.category for one in first_to_last]
        if rules.moving_apart(categories):
            told.append(_("They are moving apart: one is better, the other worse."))
        if couple := rules.less_favourable(categories):
            told.append(
                _("Of the couple: %(words)s, the less favourable of both.")
                % {"words": category_words(couple)}
            )
    return told


def _comparable(readings: Sequence[Reading]) -> list[Fraction]:
    """The values under the version that was answered last: others aren't compared with it."""
    run = list(readings)
    for place, (before, after) in enumerate(pairwise(readings), 1):
        if before.version != after.version:
            run = list(readings[place:])
    return [one.value for one in run if one.value is not None]


def _step(step: Step) -> str:
    """A difference, with what it means where that is known."""
    shown = signed(step.difference)
    if step.category is not None:
        return f"{shown}, {category_words(step.category)}"
    if step.about_the_same:
        return f"{shown}, {category_words('about_the_same')}"
    return shown


def _cited(cuts: Sequence[Cut], known: Change | None, index: float | None) -> list[str]:
    """What the dotted lines and the shade are, and where that is published."""
    told, sources = [], [one.citation for one in cuts]
    if cuts:
        labels = "; ".join(one.label_staff for one in cuts)
        told.append(_("Dotted: %(labels)s.") % {"labels": labels})
    if known is not None and index is not None:
        told.append(
            _("Shaded: within %(points)s points of where each began, no change is reliable.")
            % {"points": f"{index:.1f}"}
        )
        sources.append(known.citation)
    if sources:
        told.append(_("Source: %(source)s") % {"source": "; ".join(dict.fromkeys(sources))})
    return told
