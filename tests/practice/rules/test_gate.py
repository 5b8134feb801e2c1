"""The partner's invitation gate: every combination of what may be known."""

from itertools import product

import pytest

from practice.rules.gate import partner_gate

# service gate, said safe, contact, same address, asked in person, checks done. A star is either.
TABLE = (
    ("* no * * no *", "said_unsafe"),
    ("* no yes yes yes *", "shared_address"),
    ("* yes yes yes * *", "shared_address"),
    ("private_check yes no * no no", "private_check"),
    ("private_check yes yes no no no", "private_check"),
    ("said_safe yes no * no no", "no_contact"),
    ("* yes no * no yes", "no_contact"),
    ("* * no * yes *", "no_contact"),
    ("said_safe yes yes no no no", "open"),
    ("* yes yes no no yes", "open"),
    ("* * yes no yes *", "open"),
)
COMBINATIONS = tuple(product(("said_safe", "private_check"), *[("yes", "no")] * 5))


def matches(row: str, combination: tuple[str, ...]) -> bool:
    return all(
        wanted in ("*", given) for wanted, given in zip(row.split(), combination, strict=True)
    )


def test_the_table_has_one_row_for_each_combination() -> None:
    assert len(COMBINATIONS) == 64
    for combination in COMBINATIONS:
        assert sum(matches(row, combination) for row, _ in TABLE) == 1, combination


@pytest.mark.parametrize("combination", COMBINATIONS, ids=" ".join)
def test_the_gate_is_what_the_table_says(combination: tuple[str, ...]) -> None:
    (expected,) = (gate for row, gate in TABLE if matches(row, combination))
    invite_gate, safe, contact, same, asked, checked = combination
    found = partner_gate(
        invite_gate=invite_gate,
        said_safe=safe == "yes",
        has_contact=contact == "yes",
        same_address_as_booker=same == "yes",
        asked_in_person=asked == "yes",
        checks_done=checked == "yes",
    )
    assert found == expected


def test_an_unknown_gate_of_a_service_is_refused_rather_than_open() -> None:
    with pytest.raises(ValueError, match="Unknown invitation gate"):
        partner_gate(
            invite_gate="",
            said_safe=True,
            has_contact=True,
            same_address_as_booker=False,
            asked_in_person=True,
            checks_done=True,
        )
