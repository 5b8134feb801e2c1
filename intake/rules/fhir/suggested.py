"""Scores for a form that came without any that we run: suggestions, for a person to check.

Where a total's expression is a plain sum, that sum. Else the weights of items whose answers are
alike: the nine questions of a form, and not the tenth with answers of its own.
"""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from intake.rules.answers import by_weight
from intake.rules.definition import exact, parse
from intake.rules.fhir import sums
from intake.rules.fhir.plain import Node, objects, text
from intake.rules.fhir.tree import Entry
from intake.rules.scoring import score
from intake.rules.vectors import plain as for_file

_FEWEST: Final = 2


def subscales(entries: Sequence[Entry], item_ids: Mapping[str, str]) -> tuple[list[Node], str]:
    """Subscales in the plain form, and in a sentence on what they rest; none where nothing does."""
    weighted = [one for one in entries if not one.why_not and one.type == "choice" and one.weighted]
    for total in entries:
        found = sums.of(total.node)
        if found is None:
            continue
        known = {one.link_id for one in weighted}
        if found.only - known:
            continue
        chosen = [
            one
            for one in weighted
            if one.link_id not in found.but and (not found.only or one.link_id in found.only)
        ]
        if chosen:
            sentence = f"The score is the plain sum that “{total.link_id[:60]}” describes."
            return [_subscale("total", total, chosen, item_ids)], sentence
    groups = [one for one in _alike(weighted) if len(one) >= _FEWEST]
    totals = [one for one in entries if one.is_total]
    only = totals[0] if len(groups) == len(totals) == 1 else None
    names = ["total"] if len(groups) == 1 else [f"total-{n}" for n in range(1, len(groups) + 1)]
    made = [
        _subscale(name, only, group, item_ids) for name, group in zip(names, groups, strict=True)
    ]
    return made, "The score adds the weights of questions whose answers are alike." if made else ""


def vectors(raw: Mapping[str, Any]) -> list[Node]:
    """Worked examples for the suggested scores: all least, all most, and a mixture.

    They keep what is computed today from changing unseen. They prove nothing: nobody has worked
    them out by hand, and their ids say so.
    """
    definition = parse(raw)
    scored = [item for one in definition.subscales for item in one.items]
    found = []
    for name, pick in (("least", _least), ("most", _most), ("mixed", _mixed)):
        answers: dict[str, str] = {}
        for place, item_id in enumerate(dict.fromkeys(scored)):
            item = definition.item(item_id)
            scale = definition.scale_of(item) if item else None
            if scale:
                ranked = sorted(scale.options, key=lambda one: one.value or Fraction(0))
                answers[item_id] = ranked[pick(place, len(ranked))].code
        said = {item_id: by_weight(definition, item_id, code) for item_id, code in answers.items()}
        scores = score(definition, {key: one for key, one in said.items() if one})
        found.append({"id": f"generated-{name}", "answers": answers, "expected": for_file(scores)})
    return found


def _least(_place: int, _many: int) -> int:
    return 0


def _most(_place: int, many: int) -> int:
    return many - 1


def _mixed(place: int, many: int) -> int:
    return place % many


def _alike(weighted: Iterable[Entry]) -> list[list[Entry]]:
    """Items with the same weights, and more than half of the answers' words the same."""
    groups: list[list[Entry]] = []
    for entry in weighted:
        for group in groups:
            if _are_alike(group[0], entry):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return groups


def _are_alike(one: Entry, other: Entry) -> bool:
    mine, theirs = _scored(one), _scored(other)
    if sorted(weight for _, weight in mine) != sorted(weight for _, weight in theirs):
        return False
    same = sum(left[0] == right[0] for left, right in zip(mine, theirs, strict=True))
    return 2 * same > len(mine)


def _scored(entry: Entry) -> list[tuple[str, Fraction]]:
    return [
        (one.label.strip().casefold(), exact(one.weight))
        for one in entry.choices
        if not one.is_non_answer
    ]


def _subscale(
    name: str, total: Entry | None, items: Sequence[Entry], item_ids: Mapping[str, str]
) -> Node:
    spans = [sorted(weight for _, weight in _scored(one)) for one in items]
    low, high = (
        sum((one[0] for one in spans), Fraction(0)),
        sum((one[-1] for one in spans), Fraction(0)),
    )
    made: Node = {
        "id": name,
        "label": (total.text[:200].strip() if total else "") or "Total",
        "items": [item_ids[one.link_id] for one in items],
        "method": "sum",
        "min_valid": len(items),
        "missing": "strict",
        "range": [for_file(low), for_file(high)],
    }
    codings = objects(total.node.get("code")) if total else []
    if codings and text(codings[0].get("system")) and text(codings[0].get("code")):
        made["code"] = {"system": codings[0]["system"][:300], "code": codings[0]["code"][:100]}
    return made
