"""The cycle reflection scored a second time: written from the questionnaire's own rules, in plain
floats and without a line of the product's scorer. Whoever changes one of them must mean both.

A float may fall short of the threshold that it is on: twelfths of a hundred do. So it is allowed a
hair's breadth, which is far less than any two scores lie apart.

It takes and gives the form of the worked examples.
"""

from typing import Any

Half = dict[str, Any] | None

PRESENT, LEAD, DISCREPANCY, NUDGE = 50.0, 12.5, 25.0, 6.25
BANDS = [
    (25.0, "faint"),
    (50.0, "now and then"),
    (75.0, "often part of our hard moments"),
    (101.0, "most of our hard moments"),
]


def reaches(value: float, threshold: float) -> bool:
    return value >= threshold - 1e-9


def answers(half: Half, view: str, name: str, length: int) -> list[int | None]:
    values = list(((half or {}).get(view) or {}).get(name) or [])
    return values + [None] * (length - len(values))


def percent(values: list[int | None], needed: int) -> float | None:
    there = [one for one in values if one is not None]
    if len(there) < needed:
        return None
    return 100.0 * sum(there) / (4 * len(there))


def scores(half: Half, view: str) -> dict[str, float | None]:
    return {
        "PURSUE": percent(answers(half, view, "P", 4), 3),
        "WITHDRAW": percent(answers(half, view, "W", 4), 3),
        "F_REACH": percent(answers(half, view, "F1_4", 4), 3),
        "F_STEP": percent(answers(half, view, "F5_7", 3), 2),
    }


def repair(half: Half) -> float | None:
    v1, v2, v3, v4 = answers(half, "us", "V", 4)
    return percent([v1, v2, v3, None if v4 is None else 4 - v4], 3)


def position(p: float, w: float) -> str:
    if not reaches(p, PRESENT) and not reaches(w, PRESENT):
        return "settled"
    if reaches(p - w, LEAD):
        return "reaching"
    if reaches(w - p, LEAD):
        return "stepping_back"
    return "both"


def dance(values: dict[str, float]) -> tuple[str, str | None, str | None]:
    a = position(values["P_A"], values["W_A"])
    b = position(values["P_B"], values["W_B"])
    match sorted([a, b]):
        case ["reaching", "stepping_back"]:
            return "pursue_withdraw", None, "A" if a == "reaching" else "B"
        case ["reaching", "reaching"]:
            return "mutual_pursue", None, None
        case ["stepping_back", "stepping_back"]:
            return "mutual_withdraw", None, None
        case ["settled", "settled"]:
            return "no_fixed_pattern", "quiet", None
    return "no_fixed_pattern", "switching" if "both" in (a, b) else "one_sided", None


def score(couple: dict[str, Half]) -> dict[str, Any]:
    a, b = couple.get("A") or None, couple.get("B") or None
    told: dict[str, Any] = {}
    for who, half in (("A", a), ("B", b)):
        if half is None:
            told[f"scores_{who}"] = None
        else:
            told[f"scores_{who}_self"] = scores(half, "self")
            told[f"scores_{who}_partner"] = scores(half, "partner")
            told[f"repair_{who}"] = repair(half)

    own: dict[str, float | None] = {}
    seen: dict[str, float | None] = {}
    for who, half, partner in (("A", a, b), ("B", b, a)):
        for letter, name in (("P", "PURSUE"), ("W", "WITHDRAW")):
            own[f"{letter}_{who}"] = scores(half, "self")[name]
            seen[f"{letter}_{who}"] = scores(partner, "partner")[name]
    order = ["P_A", "W_A", "P_B", "W_B"]
    combined: dict[str, float | None] = {}
    basis: dict[str, str | None] = {}
    apart: dict[str, float | None] = {}
    sources = set()
    for key in order:
        mine, theirs = own[key], seen[key]
        who, partner_name = key[-1], {"A": "B", "B": "A"}[key[-1]]
        apart[key] = None
        if mine is not None and theirs is not None:
            combined[key], basis[key] = (mine + theirs) / 2, "both"
            apart[key] = mine - theirs
            sources |= {who, partner_name}
        elif mine is not None:
            combined[key], basis[key] = mine, "self_only"
            sources.add(who)
        elif theirs is not None:
            combined[key], basis[key] = theirs, "partner_only"
            sources.add(partner_name)
        else:
            combined[key], basis[key] = None, None
    told["combined"], told["basis"] = combined, basis
    told["one_view"] = ((a is None) is not (b is None)) or len(sources) == 1
    told["self_minus_partner_view"] = apart
    told["discrepancy_flags"] = [key for key in order if reaches(abs(apart[key] or 0), DISCREPANCY)]
    told |= picture({key: one for key, one in combined.items() if one is not None})
    told |= conversation(a, b)
    return told


def picture(values: dict[str, float]) -> dict[str, Any]:
    names = ["lead", "position", "dance_scores", "dance", "kind", "pursuer"]
    names += ["intensity", "tentative", "tentative_because"]
    if len(values) < 4:
        return dict.fromkeys(names) | {"dance": "insufficient"}
    four = {
        "A_reaches_B_steps_back": (values["P_A"] + values["W_B"]) / 2,
        "B_reaches_A_steps_back": (values["P_B"] + values["W_A"]) / 2,
        "both_reach": (values["P_A"] + values["P_B"]) / 2,
        "both_step_back": (values["W_A"] + values["W_B"]) / 2,
    }
    before = dance(values)
    because = []
    for key in ("P_A", "W_A", "P_B", "W_B"):
        for sign in (1, -1):
            moved = max(0.0, min(100.0, values[key] + sign * NUDGE))
            if dance({**values, key: moved}) != before:
                because.append(key + ("+" if sign > 0 else "-"))
    return {
        "lead": {"A": values["P_A"] - values["W_A"], "B": values["P_B"] - values["W_B"]},
        "position": {
            "A": position(values["P_A"], values["W_A"]),
            "B": position(values["P_B"], values["W_B"]),
        },
        "dance_scores": four,
        "dance": before[0],
        "kind": before[1],
        "pursuer": before[2],
        "intensity": next(word for below, word in BANDS if not reaches(max(four.values()), below)),
        "tentative": bool(because),
        "tentative_because": because,
    }


def conversation(a: Half, b: Half) -> dict[str, Any]:
    told: dict[str, Any] = {"reasons_named": {}, "may_be_news": {}}
    validation: dict[str, int | None] = {}
    checks = []
    for who, half, other, partner in (("A", a, "B", b), ("B", b, "A", a)):
        mine = answers(half, "self", "R", 5)
        guesses = answers(partner, "partner", "R", 5)
        named = [place for place in range(5) if (mine[place] or 0) >= 3]
        named.sort(key=lambda place: (-(mine[place] or 0), place))
        told["reasons_named"][who] = [f"R{place + 1}" for place in named]
        told["may_be_news"][f"{who}_to_{other}"] = [
            f"R{place + 1}" for place in named if guesses[place] in (0, 1)
        ]
        given, felt = answers(half, "us", "V", 4)[2], answers(partner, "us", "V", 4)[1]
        gap = None if given is None or felt is None else given - felt
        validation[f"{who}_gives_{other}_feels"] = gap
        f5, f6, _ = answers(half, "self", "F5_7", 3)
        if (f5 or 0) >= 3 and (f6 or 0) >= 3:
            checks.append(who)
    told["validation_given_minus_felt"] = validation
    told["validation_prompts"] = [
        key for key, gap in validation.items() if gap is not None and abs(gap) >= 2
    ]
    ra, rb = repair(a), repair(b)
    if ra is None or rb is None:
        told["repair_couple"] = {"lower": None, "gap": None}
        told["repair_gap_flag"] = None
    else:
        told["repair_couple"] = {"lower": min(ra, rb), "gap": abs(ra - rb)}
        told["repair_gap_flag"] = reaches(abs(ra - rb), 25)
    told["clinician_individual_check"] = checks
    return told
