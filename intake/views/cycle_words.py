"""The cycle in sentences for the counselor: the headline, what it hangs on, what to bring up."""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from intake.actions.releasing import CannotRelease
from intake.queries.cycle import Round
from intake.rules import release as rules
from intake.rules import wording
from intake.rules.cycle import OTHER, PEOPLE, Reflection, Who, respondent
from intake.rules.definition import Definition
from intake.rules.picture import Picture, Side
from intake.rules.scoring import half_up
from intake.templatetags import duet_cycle

Names = Mapping[Who, str]
Key = TypeVar("Key", bound=Hashable)
_MOVES = {"reach": gettext_lazy("reaching"), "step": gettext_lazy("stepping back")}
_AXES = {"P": _MOVES["reach"], "W": _MOVES["step"]}


def called(names: Mapping[Key, str]) -> dict[Key, str]:
    """How people are called in sentences: by their first name, where that tells them apart."""
    first = {who: name.split()[0] if name.split() else name for who, name in names.items()}
    alike = len({name.casefold() for name in first.values()}) < len(first)
    return dict(names) if alike else first


def headline(found: Reflection, names: Names) -> str:
    """The dance in one sentence; the same for either order of the two."""
    if found.dance == "pursue_withdraw" and found.pursuer:
        values = {"one": names[found.pursuer], "other": names[OTHER[found.pursuer]]}
        return _("%(one)s reaches, %(other)s steps back.") % values
    if found.dance == "mutual_pursue":
        return _("Both reach, at the same time.")
    if found.dance == "mutual_withdraw":
        return _("Both step back, and each waits.")
    if found.dance == "insufficient" or found.position is None:
        return _("There are not enough answers to name a dance.")
    if found.kind == "quiet":
        return _("No set dance: neither move stands out.")
    if found.kind == "one_sided":
        moving = next(who for who in PEOPLE if found.position[who] != "settled")
        values = {"one": names[moving], "other": names[OTHER[moving]]}
        if found.position[moving] == "reaching":
            return _("No set dance: %(one)s reaches, %(other)s stays steady.") % values
        return _("No set dance: %(one)s steps back, %(other)s stays steady.") % values
    changing = [who for who in PEOPLE if found.position[who] == "both"]
    if len(changing) == 2:
        return _("No set dance: both reach and step back, by turns.")
    values = {"one": names[changing[0]]}
    return _("No set dance: %(one)s reaches and steps back, by turns.") % values


def tentative(found: Reflection, names: Names) -> str:
    """Which values lie so close to a line that a little more or less would change the picture."""
    if not found.tentative:
        return ""
    values = [_shift(one, names) for one in found.tentative_because or ()]
    return _("Tentative: the picture would change with %(values)s.") % {
        "values": _(", or ").join(values)
    }


def _shift(code: str, names: Names) -> str:
    axis, who, sign = code[0], code[2], code[3]
    values = {"move": _AXES[axis], "who": names["A" if who == "A" else "B"]}
    if sign == "+":
        return _("a little more %(move)s by %(who)s") % values
    return _("a little less %(move)s by %(who)s") % values


def seen_by_the_other(definition: Definition, side: Side, names: Names) -> str:
    """What the other sees of somebody: the two moves, and what they guess lies beneath."""
    seen = [f"{_MOVES[one.name]} {half_up(one.seen)}" for one in side.moves if one.seen is not None]
    if not seen:
        return ""
    often = definition.scoring["thresholds"]["reason_named"]
    guesses = [
        duet_cycle.theme_words(one.theme)
        for one in side.feelings
        if one.guess is not None and one.guess >= often
    ]
    values = {
        "other": names[OTHER[side.who]],
        "moves": ", ".join(seen),
        "beneath": ", ".join(guesses),
    }
    if not guesses:
        return _("%(other)s sees %(moves)s.") % values
    return _("%(other)s sees %(moves)s, and guesses beneath it: %(beneath)s.") % values


@dataclass(frozen=True, slots=True)
class Dance:
    """One of the four dances that two can have, and how much of it there is."""

    label: str
    score: Fraction
    strongest: bool


def dances(found: Reflection, names: Names) -> list[Dance]:
    """The four dance scores, in a fixed order."""
    if found.dance_scores is None:
        return []
    one_reaches = _("%(one)s reaches, %(other)s steps back")
    labels = {
        "A_reaches_B_steps_back": one_reaches % {"one": names["A"], "other": names["B"]},
        "B_reaches_A_steps_back": one_reaches % {"one": names["B"], "other": names["A"]},
        "both_reach": _("Both reach"),
        "both_step_back": _("Both step back"),
    }
    most = max(found.dance_scores.values())
    return [
        Dance(label, found.dance_scores[name], found.dance_scores[name] == most)
        for name, label in labels.items()
    ]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to bring up, or to ask."""

    kind: str
    text: str


def prompts(definition: Definition, picture: Picture, names: Names, language: str) -> list[Prompt]:
    """What is worth a word, what concerns one person alone first."""
    return [
        *(Prompt("alone", _ask_alone(names[side.who])) for side in picture.sides if side.ask_alone),
        *(Prompt("gap", text) for side in picture.sides for text in _gaps(side, names)),
        *(
            Prompt("news", text)
            for side in picture.sides
            for text in _news(definition, side, names, language)
        ),
        *(Prompt("validation", text) for text in _validation(picture.reflection, names)),
        *(Prompt("repair", text) for text in _repair(picture, names)),
    ]


def nothing_to_bring_up(picture: Picture, names: Names, known: bool) -> str:
    """What stands where there is nothing to bring up: that they agree, or what is missing for it.

    `known`: whether it was asked what lies beneath.
    """
    alone = respondent(picture.reflection)
    if alone is not None:
        return _("Only %(one)s's account is here: there is nothing to compare.") % {
            "one": names[alone]
        }
    if picture.reflection.position is None:
        return _("There are not enough answers to compare.")
    if not known:
        return _("In what each does, nothing stands out: they see it much alike.")
    return _("Nothing stands out: they see it much alike.")


def _ask_alone(name: str) -> str:
    return _(
        "%(name)s often feels that a line is crossed, and steered. Ask in person, alone. "
        "This is a prompt and no screen."
    ) % {"name": name}


def _gaps(side: Side, names: Names) -> Iterator[str]:
    """Where the two views of one person are a step of the scale or more apart."""
    values = {"one": names[side.who], "other": names[OTHER[side.who]]}
    for move in side.moves:
        if not move.gap or move.apart is None or move.own is None or move.seen is None:
            continue
        told = values | {
            "move": _MOVES[move.name],
            "own": half_up(move.own),
            "seen": half_up(move.seen),
        }
        if move.apart < 0:
            yield (
                _(
                    "%(other)s sees more %(move)s in %(one)s than %(one)s does "
                    "(%(seen)s and %(own)s)."
                )
                % told
            )
        else:
            yield (
                _(
                    "%(one)s sees more of their own %(move)s than %(other)s does "
                    "(%(own)s and %(seen)s)."
                )
                % told
            )


def _news(definition: Definition, side: Side, names: Names, language: str) -> Iterator[str]:
    for reason in side.reasons:
        if reason.news:
            yield _("May be news to %(other)s, of %(one)s: “%(words)s”") % {
                "one": names[side.who],
                "other": names[OTHER[side.who]],
                "words": wording.text(definition, f"items.{reason.id}.self", language),
            }


def _validation(found: Reflection, names: Names) -> Iterator[str]:
    for prompt in found.validation_prompts:
        giver: Who = "A" if prompt.startswith("A") else "B"
        values = {"one": names[giver], "other": names[OTHER[giver]]}
        difference = found.validation_given_minus_felt[prompt]
        if difference is not None and difference > 0:
            yield (
                _(
                    "%(one)s says that they let %(other)s know that their feelings make sense; "
                    "%(other)s feels it less."
                )
                % values
            )
        else:
            yield _("%(other)s feels more understood by %(one)s than %(one)s would say.") % values


def _repair(picture: Picture, names: Names) -> Iterator[str]:
    a, b = picture.sides
    if not picture.reflection.repair_gap_flag or a.repair is None or b.repair is None:
        return
    low, high = (a, b) if a.repair < b.repair else (b, a)
    assert low.repair is not None  # noqa: S101 - both are known here
    assert high.repair is not None  # noqa: S101
    yield _(
        "Finding each other again looks different to them: %(low)s %(less)s, %(high)s %(more)s."
    ) % {
        "low": names[low.who],
        "less": half_up(low.repair),
        "high": names[high.who],
        "more": half_up(high.repair),
    }


def refusals(refused: CannotRelease, shown: Round) -> list[str]:
    """What is missing for a release, for the clinician alone."""
    told = {
        rules.NOT_TWO: _("Both have to have answered this round, and be part of the couple."),
        rules.NOTHING: _("Tick at least one part."),
        rules.VERSIONS: _("They answered different versions of the questions."),
        rules.UNREADABLE: _("An account can't be read."),
        rules.ONE_VIEW: _(
            "All of it is one person's view: that is theirs, and isn't shown to the other."
        ),
        rules.TOO_LITTLE: _("There are not enough answers to name a dance."),
        rules.FLAG: _("There is an open flag. Close it with a note first."),
    }
    names = [
        str(one.person.shown_name) for one in shown.voices if one.person.pk in refused.unagreed
    ]
    unagreed = [_("%(one)s hasn't agreed to it.") % {"one": name} for name in names]
    return [told[code] for code in refused.missing if code in told] + unagreed
