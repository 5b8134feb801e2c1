"""The bad-input cases, read from the file as it was given, and what stands behind their wrappers.

`bad_inputs.jsonl` is never edited together with the code that should meet it. Which cases run,
and where, is in `MAPPED_ELSEWHERE` and in `test_fields.py`; the rest is listed in
`not_mapped_yet.txt`, so that nothing is left out in silence.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# Cases that another test module runs: their id, and that module.
MAPPED_ELSEWHERE: dict[str, str] = {
    **dict.fromkeys(
        (
            *("AP-028", "BK-129", "BK-130", "BK-131", "BK-132", "BK-133", "BK-140", "BK-141"),
            *("BK-142", "BK-236", "BK-237", "BK-238"),
        ),
        "tests/bad_inputs/test_starts.py",
    ),
    **dict.fromkeys(
        (
            *("BK-241", "BK-242", "BK-245", "BK-247", "BK-248", "BK-249", "BK-250", "BK-252"),
            *("BK-254", "BK-255", "BK-256", "BK-258", "BK-259"),
        ),
        "tests/practice/views/test_bad_requests.py",
    ),
    **dict.fromkeys(
        (
            *("AP-021", "AP-022", "AP-023", "AP-065", "AP-067", "AP-068", "AP-070", "AP-073"),
            *("AP-075", "AP-077", "AP-078", "AP-079", "AP-080", "AP-082", "AP-084", "AP-085"),
            *("AP-086", "AP-089", "AP-090", "AP-101", "AP-114", "AP-115", "AP-116", "AP-128"),
            *("AP-129", "AP-130", "BK-232", "AP-029", "AP-030", "AP-031", "AP-033", "AP-037"),
            *("AP-040", "AP-041", "AP-042", "AP-043", "AP-044", "AP-047", "AP-050", "AP-053"),
            *("AP-056", "AP-057", "AP-060", "AP-061", "AP-062", "AP-118", "AP-119", "AP-123"),
            *("AP-124", "AP-002", "AP-003", "AP-004", "AP-005", "AP-007", "AP-009", "AP-011"),
            *("AP-012", "AP-015", "AP-018", "AP-027", "AP-103", "AP-105", "AP-106", "AP-109"),
        ),
        "tests/bad_inputs/test_api.py",
    ),
    **dict.fromkeys(
        (
            *("AP-091", "AP-092", "AP-094", "AP-095", "AP-096", "AP-098", "AP-140", "AP-141"),
            *("AP-145", "AP-146", "AP-147", "AP-149", "AP-151", "AP-152", "IN-021"),
        ),
        "tests/config/test_raw_http.py",
    ),
    **dict.fromkeys(
        (
            *("RE-001", "RE-002", "RE-004", "RE-005", "RE-016", "RE-021", "RE-024", "RE-027"),
            *("RE-028", "RE-033", "RE-034", "RE-041"),
        ),
        "tests/bad_inputs/test_reminders.py",
    ),
    **dict.fromkeys(
        (
            *("LG-003", "LG-005", "LG-006", "LG-007", "LG-009", "LG-011", "LG-014"),
            *("LG-015", "LG-017", "LG-018", "LG-023", "LG-024", "LG-025", "LG-026"),
            *("LG-027", "LG-029", "LG-033", "LG-034", "LG-038", "LG-039", "LG-040"),
            *("LG-042", "LG-043", "LG-044", "LG-045", "LG-046", "LG-047", "LG-051"),
            *("LG-053", "LG-054", "LG-055", "LG-056", "LG-058", "LG-060", "LG-061"),
            *("LG-063", "LG-067", "LG-069"),
        ),
        "tests/bad_inputs/test_login.py",
    ),
    **dict.fromkeys(("RE-023", "RE-026", "RE-040"), "tests/clients/test_message_delivery.py"),
    **dict.fromkeys(("AP-125", "BK-226", "BK-227", "BK-228"), "tests/races/test_http_bookings.py"),
    **dict.fromkeys(
        (
            *("PO-034", "PO-035", "PO-037", "PO-041", "PO-042", "PO-043", "PO-048", "PO-049"),
            *("PO-050", "PO-052", "PO-053", "PO-054", "PO-056", "PO-058", "PO-059", "PO-061"),
            *("PO-062", "PO-065", "PO-066", "PO-067"),
        ),
        "tests/bad_inputs/test_uploads.py",
    ),
    **dict.fromkeys(
        (
            *("PO-001", "PO-004", "PO-006", "PO-008", "PO-010", "PO-011", "PO-012", "PO-015"),
            *("PO-017", "PO-019", "PO-020", "PO-021", "PO-022", "PO-023", "PO-025", "PO-028"),
            *("PO-030", "PO-031", "PO-032", "PO-033"),
        ),
        "tests/bad_inputs/test_portal.py",
    ),
    **dict.fromkeys(
        (
            *("IN-001", "IN-002", "IN-005", "IN-007", "IN-011", "IN-012", "IN-015", "IN-016"),
            *("IN-017", "IN-018", "IN-020", "IN-022", "IN-024", "IN-025", "IN-029", "IN-032"),
            *("IN-033", "IN-034", "IN-035", "IN-037", "IN-038", "IN-040", "IN-041", "IN-044"),
            *("IN-045", "IN-046", "IN-047", "IN-048"),
        ),
        "tests/bad_inputs/test_intake.py",
    ),
    "AP-131": "tests/practice/api/test_services.py",
    "PO-033": "tests/config/test_raw_http.py",
    "RE-019": "tests/practice/test_letters.py",
    "RE-030": "tests/faults/test_worker_and_beat.py",
    "RE-031": "tests/faults/test_redis.py",
    "RE-032": "tests/faults/test_mail_kill.py",
    "BK-230": "tests/practice/views/test_at_once.py",
    "BK-200": "tests/practice/test_letter_limit.py",
    "BK-243": "tests/practice/views/test_limits.py",
}


class NotMapped(Exception):
    """A wrapper that needs something which this suite doesn't have yet."""


@dataclass(frozen=True)
class Case:
    """One line of the file."""

    id: str
    surface: str
    kind: str
    input: dict[str, Any]
    expect: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.id}-{self.kind}"


def read() -> list[Case]:
    """All cases, in the order of the file."""
    lines = (HERE / "bad_inputs.jsonl").read_text("utf-8").splitlines()
    return [Case(**json.loads(line)) for line in lines]


def case(case_id: str) -> Case:
    """One case by its id."""
    return next(one for one in read() if one.id == case_id)


def not_mapped_yet() -> list[str]:
    """The ids of `not_mapped_yet.txt`."""
    lines = (HERE / "not_mapped_yet.txt").read_text("utf-8").splitlines()
    return [line.split()[0] for line in lines if line and not line.startswith("#")]


def unwrap(value: Any, *, now: datetime) -> Any:
    """The value that a wrapper stands for. Refuses (NotMapped) wrappers that aren't known here."""
    if not (isinstance(value, dict) and len(value) == 1 and next(iter(value)).startswith("$")):
        return value
    ((name, inner),) = value.items()
    if name == "$repeat":
        return unwrap(inner[0], now=now) * inner[1]
    if name == "$concat":
        return "".join(unwrap(part, now=now) for part in inner)
    if name == "$hex":
        return bytes.fromhex(inner)
    if name == "$json":
        return json.loads(inner)
    if name == "$now":
        return (now + _duration(inner)).isoformat()
    raise NotMapped(name)


def _duration(text: str) -> timedelta:
    """`-PT1M`, `+P400D`: the two forms that the file uses."""
    found = re.fullmatch(r"([+-])P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", text)
    if found is None:
        raise NotMapped(text)
    sign, days, hours, minutes = found.groups()
    span = timedelta(days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0))
    return -span if sign == "-" else span
