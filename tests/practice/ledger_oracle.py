"""What the attendees of a practice must be told, written down once more and as plainly as can be.

It knows what people did and when, and nothing of rows, planners or senders. The sentences are
those of `docs/messages.md` and `docs/booking.md`: each person hears once how things stand, is
reminded by the rules, hears of an end if they knew of a beginning, and nothing after the start.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

MINUTE = timedelta(minutes=1)
ENDS = {"cancelled", "declined"}

# A letter by what it is for, and the version of the time that it tells.
Key = tuple[str, int]


@dataclass(eq=False)
class Somebody:
    """A person, and how they may be reached."""

    key: UUID
    email: str | None
    zone: str
    says_no: bool = False
    quiet: tuple[int, int] | None = None

    def has_quiet(self, moment: datetime) -> bool:
        if self.quiet is None:
            return False
        local = moment.astimezone(ZoneInfo(self.zone))
        minute, (start, end) = local.hour * 60 + local.minute, self.quiet
        return start <= minute < end if start < end else not end <= minute < start


@dataclass(eq=False)
class Part:
    """One person's part in a meeting: `had` are the letters that left, `over` those that won't."""

    key: UUID
    who: Somebody
    is_booker: bool
    gate: str
    open_since: datetime | None
    left_at: datetime | None = None
    left_start: datetime | None = None
    plan: dict[Key, tuple[datetime, datetime]] = field(default_factory=dict)
    had: set[Key] = field(default_factory=set)
    over: set[Key] = field(default_factory=set)

    @property
    def can_be_written_to(self) -> bool:
        return self.gate == "open" and self.who.email is not None


@dataclass(eq=False)
class Meeting:
    """What was booked, and what has become of it."""

    key: UUID
    service: str
    waits_for_check: bool
    state: str
    start: datetime
    length: timedelta
    settled: datetime
    parts: list[Part]
    version: int = 0
    gone_at: datetime | None = None

    def is_coming(self, now: datetime) -> bool:
        return self.state in {"requested", "confirmed"} and now < self.start + self.length


@dataclass(frozen=True)
class Told:
    """A letter that must have left: to whose part, what for, where to, about which time."""

    part: UUID
    purpose: str
    version: int
    to: str
    start: datetime


class Oracle:
    """Everything that was done so far, and what follows."""

    def __init__(self, *, leads: Iterable[int], delay: timedelta) -> None:
        self.meetings: list[Meeting] = []
        self.general: set[int] = set(leads)
        self.own: dict[str, set[int]] = {}
        self.delay = delay

    # --- what people do ----------------------------------------------------------------------

    def booked(self, meeting: Meeting, now: datetime) -> None:
        self.meetings.append(meeting)
        self._plan(meeting, now)

    def moved(self, meeting: Meeting, start: datetime, now: datetime) -> None:
        if start == meeting.start:
            return
        meeting.start, meeting.settled = start, now
        meeting.version += 1
        self._plan(meeting, now)

    def accepted(self, meeting: Meeting, now: datetime) -> None:
        meeting.state, meeting.settled = "confirmed", now
        self._plan(meeting, now)

    def cancelled(self, meeting: Meeting, now: datetime) -> None:
        if meeting.state != "cancelled":
            self._end(meeting, now)
            self._plan(meeting, now)

    def left(self, meeting: Meeting, part: Part, now: datetime) -> None:
        """The last one who could be told of it takes it along."""
        if part.left_at is not None:
            return
        part.left_at, part.left_start = now, meeting.start
        if all(one.left_at for one in meeting.parts if one.gate == "open"):
            self._end(meeting, now)
        self._plan(meeting, now)

    def closed(self, meeting: Meeting) -> None:
        meeting.state = "over"

    def asked_in_person(self, meeting: Meeting, part: Part, now: datetime) -> None:
        if part.gate != "open":
            part.gate, part.open_since = "open", now
            self._plan(meeting, now)

    def reached_at(self, who: Somebody, email: str | None, zone: str, now: datetime) -> None:
        """A new address; a partner's gate is judged anew by what each of the two has."""
        who.email, who.zone = email, zone
        for meeting in self._coming_of(who, now):
            for part in meeting.parts[1:]:
                self._judge(meeting, part, now)
            self._plan(meeting, now)

    def said(
        self, who: Somebody, *, no: bool, quiet: tuple[int, int] | None, now: datetime
    ) -> None:
        who.says_no, who.quiet = no, quiet
        for meeting in self._coming_of(who, now):
            self._plan(meeting, now)

    def ruled(self, service: str | None, leads: Iterable[int], now: datetime) -> None:
        """New reminder rules, of one service or of all that have none of their own."""
        if service is None:
            self.general = set(leads)
        else:
            self.own[service] = set(leads)
        for meeting in self.meetings:
            if meeting.is_coming(now) and service in (None, meeting.service):
                self._plan(meeting, now)

    # --- what is sent ------------------------------------------------------------------------

    def sent_by(self, now: datetime) -> set[Told]:
        """What a scan at this moment must send; the rest of what is due will never be."""
        told = set()
        for meeting in self.meetings:
            for part in meeting.parts:
                due = [key for key, (moment, _) in part.plan.items() if moment <= now]
                for key in due:
                    _, until = part.plan.pop(key)
                    in_time = now < min(until, meeting.start)
                    if not in_time or part.who.says_no or part.who.email is None:
                        part.over.add(key)
                        continue
                    part.had.add(key)
                    start = part.left_start or meeting.start
                    told.add(Told(part.key, *key, part.who.email, start))
        return told

    # --- the sentences -----------------------------------------------------------------------

    def _plan(self, meeting: Meeting, now: datetime) -> None:
        """What each attendee is still to be told, as things stand now."""
        for part in meeting.parts:
            wanted = self._letter(meeting, part) | self._reminders(meeting, part, now)
            known = part.had | part.over
            part.plan = {key: when for key, when in wanted.items() if key not in known}

    def _letter(self, meeting: Meeting, part: Part) -> dict[Key, tuple[datetime, datetime]]:
        if not part.can_be_written_to:
            return {}
        heard = {purpose for purpose, _ in part.had}
        gone = part.left_at or meeting.gone_at
        if gone is not None:
            # Of an end hears who heard of a beginning, once.
            if not heard or heard & ENDS:
                return {}
            purpose = "declined" if heard == {"requested"} and not part.left_at else "cancelled"
            return {(purpose, meeting.version): (gone, max(gone, meeting.start))}
        if meeting.state == "requested":
            purpose = "requested" if part.is_booker else ""
        elif meeting.state == "confirmed":
            purpose = "confirmation" if part.is_booker else "invitation"
        else:
            purpose = ""
        since = _since(meeting, part)
        if not purpose or since >= meeting.start:
            return {}
        if any(version < meeting.version for _, version in part.had):
            purpose = "moved"
        due = since + self.delay
        return {(purpose, meeting.version): (due, max(due, meeting.start))}

    def _reminders(
        self, meeting: Meeting, part: Part, now: datetime
    ) -> dict[Key, tuple[datetime, datetime]]:
        if meeting.state != "confirmed" or part.left_at or not part.can_be_written_to:
            return {}
        at: dict[datetime, int] = {}
        for lead in sorted(self.own.get(meeting.service) or self.general, reverse=True):
            due = meeting.start - lead * MINUTE
            while part.who.has_quiet(due):
                due -= MINUTE
            # The letter just sent serves for a reminder that was due before it; two that quiet
            # hours bring to one moment are one.
            if due > _since(meeting, part) and meeting.start - lead * MINUTE / 4 > now:
                at[due] = lead
        return {
            (f"reminder-{lead}", meeting.version): (due, meeting.start - lead * MINUTE / 4)
            for due, lead in at.items()
        }

    def _end(self, meeting: Meeting, now: datetime) -> None:
        meeting.state, meeting.gone_at = "cancelled", now
        meeting.version += 1

    def _judge(self, meeting: Meeting, part: Part, now: datetime) -> None:
        """Both at one address, or none: shut. Mended: open, unless a check is waited for."""
        if part.gate not in {"open", "shared_address", "no_contact"}:
            return
        if part.who.email is not None and part.who.email == meeting.parts[0].who.email:
            gate = "shared_address"
        elif part.gate != "open" and meeting.waits_for_check:
            gate = "private_check"
        else:
            gate = "open" if part.who.email else "no_contact"
        if gate != part.gate:
            part.gate, part.open_since = gate, now if gate == "open" else None

    def _coming_of(self, who: Somebody, now: datetime) -> list[Meeting]:
        return [
            meeting
            for meeting in self.meetings
            if meeting.is_coming(now) and who in [part.who for part in meeting.parts]
        ]


def _since(meeting: Meeting, part: Part) -> datetime:
    """Since when this person could know of the time as it is now."""
    return max(meeting.settled, part.open_since or meeting.settled)
