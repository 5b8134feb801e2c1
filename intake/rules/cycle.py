"""The couple's dance, from what both say of themselves and of each other.

Pure and exact. The thresholds stand in the definition; they are steps of its answer scale and not
derived from data. Person "A" and "B" are two respondents in any order: nothing here knows a role.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import product
from typing import Any, Final, Literal

from intake.rules.answers import Answered, Answers, by_weight, number, worth
from intake.rules.conditions import given
from intake.rules.definition import Definition, exact
from intake.rules.scoring import score

Who = Literal["A", "B"]
Position = Literal["settled", "reaching", "stepping_back", "both"]
Number = Fraction | None

PEOPLE: Final[tuple[Who, Who]] = ("A", "B")
OTHER: Final[dict[Who, Who]] = {"A": "B", "B": "A"}
# Of each person the map shows how much they reach, P, and how much they step back, W.
REACH, STEP_BACK, REPAIR = "PURSUE", "WITHDRAW", "REPAIR"
AXES: Final = {"P": REACH, "W": STEP_BACK}
VALUES: Final = ("P_A", "W_A", "P_B", "W_B")
SUBSCALES: Final = (REACH, STEP_BACK, "F_REACH", "F_STEP")
VIEWS: Final = ("self", "partner")
# How often somebody lets the other know that their feelings make sense, and how often they feel it.
GIVEN, FELT = "V3.us", "V2.us"
# A line crossed and no say: where somebody feels both often, the clinician asks in person.
CHECKED: Final = ("F5.self", "F6.self")
_NONE, _ALL = Fraction(0), Fraction(100)

# In the vectors' form: the short name of a list, and its items.
_LISTS: Final[dict[str, tuple[str, ...]]] = {
    "P": ("P1", "P2", "P3", "P4"),
    "W": ("W1", "W2", "W3", "W4"),
    "F1_4": ("F1", "F2", "F3", "F4"),
    "F5_7": ("F5", "F6", "F7"),
    "R": ("R1", "R2", "R3", "R4", "R5"),
    "V": ("V1", "V2", "V3", "V4"),
}
_LISTS_OF: Final = {
    "self": ("P", "W", "F1_4", "F5_7", "R"),
    "partner": ("P", "W", "F1_4", "F5_7", "R"),
    "us": ("V",),
}
# The names in the vectors that a reflection has as they are.
_IN_VECTORS: Final = (
    "combined",
    "basis",
    "one_view",
    "self_minus_partner_view",
    "discrepancy_flags",
    "lead",
    "position",
    "dance_scores",
    "dance",
    "kind",
    "pursuer",
    "intensity",
    "tentative",
    "tentative_because",
    "reasons_named",
    "may_be_news",
    "validation_given_minus_felt",
    "validation_prompts",
    "repair_couple",
    "repair_gap_flag",
    "clinician_individual_check",
)


@dataclass(frozen=True, slots=True)
class Reflection:
    """What both accounts say together; the names are those of the definition's vectors.

    `scores` by person, view and subscale; none for a person who hasn't answered. The four values
    P_A, W_A, P_B, W_B are on the map. Without one of them there is no dance: "insufficient", and
    all that depends on it is none.
    """

    scores: Mapping[Who, Mapping[str, Mapping[str, Number]] | None]
    repair: Mapping[Who, Number]
    combined: Mapping[str, Number]
    # "both", "self_only" or "partner_only".
    basis: Mapping[str, str | None]
    one_view: bool
    self_minus_partner_view: Mapping[str, Number]
    discrepancy_flags: tuple[str, ...]
    lead: Mapping[Who, Fraction] | None
    position: Mapping[Who, Position] | None
    dance_scores: Mapping[str, Fraction] | None
    dance: str
    kind: str | None
    pursuer: Who | None
    intensity: str | None
    tentative: bool | None
    tentative_because: tuple[str, ...] | None
    reasons_named: Mapping[Who, tuple[str, ...]]
    may_be_news: Mapping[str, tuple[str, ...]]
    validation_given_minus_felt: Mapping[str, Number]
    validation_prompts: tuple[str, ...]
    repair_couple: Mapping[str, Number]
    repair_gap_flag: bool | None
    # Whom the clinician asks in person, alone. Never shown to a client.
    clinician_individual_check: tuple[Who, ...]


@dataclass(frozen=True, slots=True)
class _Rules:
    """The definition's thresholds."""

    present: Fraction
    lead: Fraction
    discrepancy: Fraction
    nudge: Fraction
    reason_named: Fraction
    reason_unseen: Fraction
    validation_gap: Fraction
    repair_gap: Fraction
    individual_check: Fraction


_THRESHOLDS: Final = tuple(one.name for one in fields(_Rules))


class _Account:
    """One person's answers: scores by view, and the weight of single items."""

    def __init__(self, definition: Definition, answers: Answers, *, short: bool) -> None:
        self._definition = definition
        self._given = given(definition, answers, short=short)
        self._scores = score(definition, answers, short=short)

    def scored(self, subscale: str, view: str) -> Number:
        return self._scores.get(f"{subscale}.{view}")

    def scores(self, view: str) -> dict[str, Number]:
        return {name: self.scored(name, view) for name in SUBSCALES}

    def item(self, item_id: str) -> Number:
        item = self._definition.item(item_id)
        return worth(self._definition, item, self._given.get(item_id)) if item else None


def reflect(
    definition: Definition, a: Answers | None, b: Answers | None, *, short: Container[Who] = ()
) -> Reflection:
    """What the accounts of one or both say about their dance; none for who hasn't answered.

    `short`: who was asked the short form alone.
    """
    rules = _rules(definition)
    accounts: dict[Who, _Account | None] = {
        who: _Account(definition, answers, short=who in short) if answers is not None else None
        for who, answers in zip(PEOPLE, (a, b), strict=True)
    }
    views = {value: _views(accounts, value) for value in VALUES}
    combined = {value: _combine(*views[value]) for value in VALUES}
    apart = {value: _minus(*views[value]) for value in VALUES}
    repair = {who: one.scored(REPAIR, "us") if (one := accounts[who]) else None for who in PEOPLE}
    gap = _minus(repair["A"], repair["B"])
    named = {who: _reasons(rules, accounts[who]) for who in PEOPLE}
    validation = {
        f"{who}_gives_{OTHER[who]}_feels": _validation(accounts[who], accounts[OTHER[who]])
        for who in PEOPLE
    }
    picture = _picture(definition, rules, combined)
    return Reflection(
        scores={
            who: {view: one.scores(view) for view in VIEWS} if (one := accounts[who]) else None
            for who in PEOPLE
        },
        repair=repair,
        combined=combined,
        basis={value: _basis(*views[value]) for value in VALUES},
        one_view=_is_one_view(accounts, views),
        self_minus_partner_view=apart,
        discrepancy_flags=_at_least(apart, rules.discrepancy),
        lead=picture.lead,
        position=picture.position,
        dance_scores=picture.dance_scores,
        dance=picture.dance,
        kind=picture.kind,
        pursuer=picture.pursuer,
        intensity=picture.intensity,
        tentative=picture.tentative,
        tentative_because=picture.tentative_because,
        reasons_named=named,
        may_be_news={
            f"{who}_to_{OTHER[who]}": _news(rules, named[who], accounts[OTHER[who]])
            for who in PEOPLE
        },
        validation_given_minus_felt=validation,
        validation_prompts=_at_least(validation, rules.validation_gap),
        repair_couple={
            "lower": _lower(repair["A"], repair["B"]),
            "gap": None if gap is None else abs(gap),
        },
        repair_gap_flag=None if gap is None else abs(gap) >= rules.repair_gap,
        clinician_individual_check=tuple(
            who for who in PEOPLE if _needs_a_word_alone(rules, accounts[who])
        ),
    )


def respondent(found: Reflection) -> Who | None:
    """Whose view it is where all comes from one of the two; none where it comes from both."""
    if not found.one_view:
        return None
    there = [who for who in PEOPLE if found.scores[who] is not None]
    return next((who for who in there if _is_on_map(found.scores[who])), there[0])


def _is_on_map(scores: Mapping[str, Mapping[str, Number]] | None) -> bool:
    return any(one[axis] is not None for one in (scores or {}).values() for axis in AXES.values())


def as_expected(found: Reflection) -> dict[str, Any]:
    """A reflection in the form of the definition's vectors; numbers stay exact."""
    told: dict[str, Any] = {}
    for who in PEOPLE:
        scores = found.scores[who]
        if scores is None:
            told[f"scores_{who}"] = None
            continue
        told |= {f"scores_{who}_{view}": dict(scores[view]) for view in VIEWS}
        told[f"repair_{who}"] = found.repair[who]
    for name in _IN_VECTORS:
        told[name] = _plain(getattr(found, name))
    return told


def from_vector(
    definition: Definition, couple: Any
) -> tuple[dict[str, Answered] | None, dict[str, Answered] | None]:
    """Both partners' answers from the vectors' form, where `null` is a missing answer.

    What isn't there wasn't answered; a partner who is null, {} or left out has not answered at all.
    Refuses (ValueError, with a sentence) what is no such form, and values that aren't on the scale.
    """
    if not isinstance(couple, Mapping) or not set(couple) <= set(PEOPLE):
        raise ValueError("The answers must be an object with A and B.")
    return _person(definition, "A", couple.get("A")), _person(definition, "B", couple.get("B"))


def missing_parts(definition: Definition) -> list[str]:
    """What the cycle's rules need and a definition lacks, as places in it; for its check."""
    there = {one.id for one in definition.subscales}
    wanted = [f"{name}.{view}" for name in SUBSCALES for view in VIEWS] + [f"{REPAIR}.us"]
    lacking = [f"subscales.{name}" for name in wanted if name not in there]
    scoring = definition.scoring
    thresholds = scoring.get("thresholds", {})
    lacking += [
        f"scoring.thresholds.{one}"
        for one in _THRESHOLDS
        if not isinstance(thresholds, Mapping) or number(thresholds.get(one)) is None
    ]
    if not _are_bands(scoring.get("intensity_bands")):
        lacking.append("scoring.intensity_bands")
    items = [f"{item}.{view}" for item in _LISTS["R"] for view in VIEWS]
    items += [GIVEN, FELT, *CHECKED]
    return lacking + [f"items.{item}" for item in items if definition.item(item) is None]


# --- each person ---------------------------------------------------------------------------------


def _views(accounts: Mapping[Who, _Account | None], value: str) -> tuple[Number, Number]:
    """One value of the map as the person says it of themselves, and as the partner says it."""
    owner: Who = "A" if value.endswith("A") else "B"
    subscale = AXES[value[0]]
    own, others = accounts[owner], accounts[OTHER[owner]]
    return (
        own.scored(subscale, "self") if own else None,
        others.scored(subscale, "partner") if others else None,
    )


def _combine(own: Number, others: Number) -> Number:
    if own is None or others is None:
        return others if own is None else own
    return (own + others) / 2


def _basis(own: Number, others: Number) -> str | None:
    if own is None:
        return None if others is None else "partner_only"
    return "self_only" if others is None else "both"


def _minus(left: Number, right: Number) -> Number:
    return None if left is None or right is None else left - right


def _lower(left: Number, right: Number) -> Number:
    return None if left is None or right is None else min(left, right)


def _at_least(gaps: Mapping[str, Number], least: Fraction) -> tuple[str, ...]:
    return tuple(name for name, gap in gaps.items() if gap is not None and abs(gap) >= least)


def _is_one_view(
    accounts: Mapping[Who, _Account | None], views: Mapping[str, tuple[Number, Number]]
) -> bool:
    """Whether all values of the map come from one respondent, or only one has answered at all."""
    if (accounts["A"] is None) != (accounts["B"] is None):
        return True
    said_by = set()
    for value, (own, others) in views.items():
        who = value[-1]
        if own is not None:
            said_by.add(who)
        if others is not None:
            said_by.add("B" if who == "A" else "A")
    return len(said_by) == 1


def _reasons(rules: _Rules, account: _Account | None) -> tuple[str, ...]:
    """The reasons that somebody named for stepping back, the strongest first."""
    rated = {one: account.item(f"{one}.self") for one in _LISTS["R"]} if account else {}
    named = {
        one: rating
        for one, rating in rated.items()
        if rating is not None and rating >= rules.reason_named
    }
    return tuple(sorted(named, key=lambda one: -named[one]))


def _news(rules: _Rules, named: Sequence[str], partner: _Account | None) -> tuple[str, ...]:
    """Of somebody's reasons those that the partner guessed to be none."""
    guesses = {one: partner.item(f"{one}.partner") if partner else None for one in named}
    return tuple(
        one for one, guess in guesses.items() if guess is not None and guess <= rules.reason_unseen
    )


def _validation(giver: _Account | None, receiver: _Account | None) -> Number:
    return _minus(giver.item(GIVEN) if giver else None, receiver.item(FELT) if receiver else None)


def _needs_a_word_alone(rules: _Rules, account: _Account | None) -> bool:
    if account is None:
        return False
    ratings = [account.item(one) for one in CHECKED]
    return all(one is not None and one >= rules.individual_check for one in ratings)


# --- the couple ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Picture:
    """What the four values of the map say; without one of them nothing."""

    lead: Mapping[Who, Fraction] | None = None
    position: Mapping[Who, Position] | None = None
    dance_scores: Mapping[str, Fraction] | None = None
    dance: str = "insufficient"
    kind: str | None = None
    pursuer: Who | None = None
    intensity: str | None = None
    tentative: bool | None = None
    tentative_because: tuple[str, ...] | None = None


def _picture(definition: Definition, rules: _Rules, at: Mapping[str, Number]) -> _Picture:
    known = {value: found for value, found in at.items() if found is not None}
    if len(known) < len(VALUES):
        return _Picture()
    dance, kind, pursuer = outcome = _dance(rules, known)
    scores = {
        "A_reaches_B_steps_back": (known["P_A"] + known["W_B"]) / 2,
        "B_reaches_A_steps_back": (known["P_B"] + known["W_A"]) / 2,
        "both_reach": (known["P_A"] + known["P_B"]) / 2,
        "both_step_back": (known["W_A"] + known["W_B"]) / 2,
    }
    because = tuple(
        f"{value}{sign}"
        for value, (sign, step) in product(VALUES, (("+", rules.nudge), ("-", -rules.nudge)))
        if _dance(rules, known | {value: min(max(known[value] + step, _NONE), _ALL)}) != outcome
    )
    return _Picture(
        lead={who: known[f"P_{who}"] - known[f"W_{who}"] for who in PEOPLE},
        position={who: _position(rules, known, who) for who in PEOPLE},
        dance_scores=scores,
        dance=dance,
        kind=kind,
        pursuer=pursuer,
        intensity=_intensity(definition, max(scores.values())),
        tentative=bool(because),
        tentative_because=because,
    )


def _position(rules: _Rules, at: Mapping[str, Fraction], who: Who) -> Position:
    reach, step_back = at[f"P_{who}"], at[f"W_{who}"]
    if reach < rules.present and step_back < rules.present:
        return "settled"
    if reach - step_back >= rules.lead:
        return "reaching"
    return "stepping_back" if step_back - reach >= rules.lead else "both"


def _dance(rules: _Rules, at: Mapping[str, Fraction]) -> tuple[str, str | None, Who | None]:
    """The dance, its kind where it has no fixed pattern, and who reaches where one does."""
    positions = {who: _position(rules, at, who) for who in PEOPLE}
    both = set(positions.values())
    if both == {"reaching", "stepping_back"}:
        pursuer: Who = "A" if positions["A"] == "reaching" else "B"
        return "pursue_withdraw", None, pursuer
    if both == {"reaching"}:
        return "mutual_pursue", None, None
    if both == {"stepping_back"}:
        return "mutual_withdraw", None, None
    if both == {"settled"}:
        return "no_fixed_pattern", "quiet", None
    return "no_fixed_pattern", "switching" if "both" in both else "one_sided", None


def _intensity(definition: Definition, largest: Fraction) -> str | None:
    bands = definition.scoring["intensity_bands"]
    return next((str(one["label"]) for one in bands if largest < exact(one["below"])), None)


# --- forms of the file ---------------------------------------------------------------------------


def _rules(definition: Definition) -> _Rules:
    thresholds = definition.scoring["thresholds"]
    return _Rules(**{name: exact(thresholds[name]) for name in _THRESHOLDS})


def _are_bands(bands: Any) -> bool:
    return (
        isinstance(bands, list)
        and len(bands) > 0
        and all(
            isinstance(one, Mapping)
            and isinstance(one.get("label"), str)
            and number(one.get("below")) is not None
            for one in bands
        )
    )


def _plain(value: Any) -> Any:
    """Lists for tuples and dicts for mappings, as a file has them."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def _person(definition: Definition, who: Who, raw: Any) -> dict[str, Answered] | None:
    if raw is None or raw == {}:
        return None
    if not isinstance(raw, Mapping) or not set(raw) <= set(_LISTS_OF):
        raise ValueError(f"{who} must be an object with self, partner and us.")
    answers: dict[str, Answered] = {}
    for view, lists in raw.items():
        place = f"{who}.{view}"
        if lists is None:
            continue
        if not isinstance(lists, Mapping) or not set(lists) <= set(_LISTS_OF[view]):
            raise ValueError(f"{place} must be an object with {', '.join(_LISTS_OF[view])}.")
        for name, values in lists.items():
            answers |= _listed(definition, view, f"{place}.{name}", _LISTS[name], values)
    return answers


def _listed(
    definition: Definition, view: str, place: str, items: Sequence[str], values: Any
) -> dict[str, Answered]:
    if values is None:
        return {}
    if not isinstance(values, list) or len(values) > len(items):
        raise ValueError(f"{place} must be a list of at most {len(items)} answers.")
    found = {}
    for item, value in zip(items, values, strict=False):
        if value is not None:
            answer = by_weight(definition, f"{item}.{view}", value)
            if answer is None:
                raise ValueError(f"{place} holds a value that isn't on the scale of {item}.")
            found[f"{item}.{view}"] = answer
    return found
