"""The cycle of two people as one picture: what each does, what lies beneath, what the other sees.

Made of a `Reflection` and the answers; it decides nothing that isn't there. Of each person "own" is
what they say of themselves, "seen" what the other says of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from intake.rules import map as cycle_map
from intake.rules.answers import Answered, Answers, worth
from intake.rules.cycle import OTHER, PEOPLE, REACH, STEP_BACK, Reflection, Who
from intake.rules.definition import Definition, Item
from intake.rules.map import Bead, Strip
from intake.rules.scoring import half_up

Value = Fraction | None
LOOPS: Final[Mapping[Who, cycle_map.Loop]] = {"A": "a", "B": "b"}
BENEATH: Final = ("F_REACH", "F_STEP")
_STEP: Final = Fraction(25)
# What an answer says that isn't on the scale: never shown to the partner.
Unsaid = str


@dataclass(frozen=True, slots=True)
class Move:
    """How much somebody makes one of the two moves, 0 to 100, in their own view and the other's."""

    name: Literal["reach", "step"]
    own: Value
    seen: Value
    both: Value
    gap: bool
    apart: Value

    @property
    def strip(self) -> Strip:
        return cycle_map.strip(self.own, self.seen)


@dataclass(frozen=True, slots=True)
class Theme:
    """Something beneath a move: what somebody says of it themselves, and what the other guesses.

    Steps of the answer scale. `unsaid` and `unguessed` are codes of a non-answer. `named`: they say
    it often; `news`: and the other wouldn't have thought so.
    """

    id: str
    theme: str
    own: int | None
    guess: int | None
    unsaid: Unsaid
    unguessed: Unsaid
    named: bool
    news: bool

    @property
    def is_told(self) -> bool:
        """Whether either of them said anything to it, be it that they would rather not."""
        given = self.own is not None or self.guess is not None
        return given or bool(self.unsaid or self.unguessed)

    @property
    def strip(self) -> Strip:
        return cycle_map.strip(_on_axis(self.own), _on_axis(self.guess))


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two."""

    who: Who
    loop: cycle_map.Loop
    answered: bool
    reach: Move
    step: Move
    position: str | None
    feelings: tuple[Theme, ...]
    reasons: tuple[Theme, ...]
    # Of home: the code of what they said about it. For the clinician.
    home: str
    repair: Value
    own_bead: Bead | None
    seen_bead: Bead | None
    # A prompt to ask in person, alone. For the clinician; it is no screen.
    ask_alone: bool

    @property
    def moves(self) -> tuple[Move, Move]:
        return self.reach, self.step


@dataclass(frozen=True, slots=True)
class Picture:
    """Both, and what is between them."""

    a: Side
    b: Side
    reflection: Reflection

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.a, self.b

    def side(self, who: Who) -> Side:
        return self.a if who == "A" else self.b


def paint(
    definition: Definition,
    reflection: Reflection,
    answers: Mapping[Who, Answers | None],
) -> Picture:
    """The picture of both accounts; what one of them hasn't said is none."""
    a, b = (_side(definition, reflection, answers, who) for who in PEOPLE)
    return Picture(a, b, reflection)


def _side(
    definition: Definition,
    found: Reflection,
    answers: Mapping[Who, Answers | None],
    who: Who,
) -> Side:
    own, others = answers[who], answers[OTHER[who]]
    reach = _move(found, who, "reach", "P", REACH)
    step = _move(found, who, "step", "W", STEP_BACK)
    news = found.may_be_news[f"{who}_to_{OTHER[who]}"]

    def theme(name: str) -> Theme:
        mine, guess = f"{name}.self", f"{name}.partner"
        item = definition.item(mine)
        value = _step_of(definition, own, mine)
        return Theme(
            id=name,
            theme=item.theme if item else "",
            own=value,
            guess=_step_of(definition, others, guess),
            unsaid=_non(own, mine),
            unguessed=_non(others, guess),
            named=value is not None and value >= definition.scoring["thresholds"]["reason_named"],
            news=name in news,
        )

    loop = LOOPS[who]
    return Side(
        who=who,
        loop=loop,
        answered=own is not None,
        reach=reach,
        step=step,
        position=found.position[who] if found.position else None,
        feelings=tuple(theme(name) for name in feelings(definition)),
        reasons=tuple(theme(name) for name in reasons(definition)),
        home=_code(own, home(definition)),
        repair=found.repair[who],
        own_bead=cycle_map.bead(loop, reach=reach.own, step=step.own, seen_by="self"),
        seen_bead=cycle_map.bead(loop, reach=reach.seen, step=step.seen, seen_by="other"),
        ask_alone=who in found.clinician_individual_check,
    )


def _move(
    found: Reflection, who: Who, name: Literal["reach", "step"], axis: str, subscale: str
) -> Move:
    value = f"{axis}_{who}"
    own, others = found.scores[who], found.scores[OTHER[who]]
    return Move(
        name=name,
        own=own["self"][subscale] if own else None,
        seen=others["partner"][subscale] if others else None,
        both=found.combined[value],
        gap=value in found.discrepancy_flags,
        apart=found.self_minus_partner_view[value],
    )


# --- which questions stand for what --------------------------------------------------------------


def feelings(definition: Definition) -> tuple[str, ...]:
    """The questions about what lies beneath, without their perspective: F1, F2."""
    return tuple(
        item.partition(".")[0]
        for one in definition.subscales
        if one.id in {f"{name}.self" for name in BENEATH}
        for item in one.items
    )


def reasons(definition: Definition) -> tuple[str, ...]:
    """The questions about what needing space can be made of, each for itself: R1, R2."""
    in_a_score = {item for one in definition.subscales for item in one.items}
    return tuple(
        item.id.partition(".")[0]
        for item in definition.items
        if item.perspective == "self" and item.scored and item.theme and item.id not in in_a_score
    )


def home(definition: Definition) -> str:
    """The question about where somebody grew up, which only the clinician reads."""
    found = [item.id for item in definition.items if item.theme == "home-climate"]
    return found[0] if found else ""


# --- answers -------------------------------------------------------------------------------------


def _step_of(definition: Definition, answers: Answers | None, item_id: str) -> int | None:
    item = definition.item(item_id)
    if answers is None or item is None:
        return None
    value = worth(definition, item, answers.get(item_id))
    return None if value is None else half_up(value)


def _non(answers: Answers | None, item_id: str) -> Unsaid:
    given = (answers or {}).get(item_id)
    return given.non if given else ""


def _code(answers: Answers | None, item_id: str) -> str:
    given: Answered | None = (answers or {}).get(item_id)
    return str(given.value) if given and not given.non and given.value is not None else ""


def _on_axis(step: int | None) -> Fraction | None:
    return None if step is None else step * _STEP


def option_of(definition: Definition, item: Item, step: int) -> str:
    """The code of an item's answer with this weight."""
    scale = definition.scale_of(item)
    options = scale.options if scale else ()
    return next((one.code for one in options if one.value == step), "")
