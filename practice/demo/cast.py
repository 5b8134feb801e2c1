"""Who and what is in the demo practice. Everybody here is made up, and so are their words.

Surnames are plainly invented, addresses end in example.org or example.com, and telephone numbers
lie in the range that is kept for stories (555-01xx).
"""

from dataclasses import dataclass
from typing import Final

from clients.rules.actors import ADMIN, COUNSELOR, FRONT_DESK, REVIEWER, SUPERVISOR
from practice.rules.slots import Weekly

PRACTICE_ZONE: Final = "America/New_York"


@dataclass(frozen=True, slots=True)
class MemberCard:
    """Somebody who signs in."""

    username: str
    name: str
    role: str
    password: str


@dataclass(frozen=True, slots=True)
class CounselorCard:
    """A counselor's page and weekly hours: (weekday, from, until) in minutes of the day."""

    slug: str
    name: str
    zone: str
    languages: tuple[str, ...]
    about: str
    room: str | None
    weekly: tuple[tuple[int, int, int], ...]

    def hours(self) -> tuple[Weekly, ...]:
        return tuple(Weekly(day, start, end, self.zone) for day, start, end in self.weekly)


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """What can be booked; lengths in minutes."""

    slug: str
    name: str
    about: str
    minutes: int
    step: int
    buffer_after: int
    notice: int
    attendees: str
    place: str
    booking: str
    invite_gate: str
    price_cents: int


def _days(days: str, *openings: tuple[int, int]) -> tuple[tuple[int, int, int], ...]:
    """`_days("0 1", (540, 720))`: the same openings on each of these weekdays."""
    return tuple((int(day), start, end) for day in days.split() for start, end in openings)


MEMBERS: Final = (
    MemberCard("olive", "Olive Netherbrook", ADMIN, "olive-keeps-the-lantern"),
    MemberCard("sam", "Sam Copperfold", FRONT_DESK, "sam-opens-the-door"),
    MemberCard("rita", "Rita Fennelworth", REVIEWER, "rita-reads-the-letters"),
    MemberCard("uma", "Uma Stillwater", SUPERVISOR, "uma-listens-from-afar"),
    MemberCard("iris", "Iris Lanternfield", COUNSELOR, "iris-waters-the-ferns"),
    MemberCard("theo", "Theo Brooksong", COUNSELOR, "theo-winds-the-clock"),
    MemberCard("lucia", "Lucía Piedrasol", COUNSELOR, "lucia-pours-the-tea"),
)

# Who besides its counselor has to do with a case, and as what: by the case's number.
CARE: Final = {
    0: (("uma", "supervisor"),),
    3: (("theo", "co_counselor"),),
    4: (("uma", "supervisor"),),
    8: (("sam", "named"),),
}
# The one case that nobody knows of but Lucía, and Sam who is named for it.
RESTRICTED: Final = 8

ROOMS: Final = (("garden-room", "Garden room"), ("corner-room", "Corner room"))

COUNSELORS: Final = (
    CounselorCard(
        "iris",
        "Iris Lanternfield",
        PRACTICE_ZONE,
        ("en",),
        "Works with couples who keep having the same argument. Calm, direct, fond of maps.",
        "garden-room",
        _days("0 1 2 3 4", (540, 750), (810, 1050)),
    ),
    CounselorCard(
        "theo",
        "Theo Brooksong",
        PRACTICE_ZONE,
        ("en",),
        "For times of change: a move, a child, an illness, a new beginning. Early and late hours.",
        "corner-room",
        (*_days("0 2 4", (480, 720), (780, 960)), *_days("1 3", (660, 840), (900, 1200))),
    ),
    CounselorCard(
        "lucia",
        "Lucía Piedrasol",
        "Europe/Madrid",
        ("es", "en"),
        "By video, in Spanish and English. For pairs who live between two places or languages.",
        None,
        _days("0 1 2 3 4", (780, 1020), (1080, 1260)),
    ),
)

SERVICES: Final = (
    ServiceCard(
        "consultation",
        "Free consultation",
        "Twenty minutes to say what brings you and to see whether we fit. Come alone or together.",
        minutes=20,
        step=30,
        buffer_after=10,
        notice=120,
        attendees="either",
        place="video",
        booking="instant",
        invite_gate="said_safe",
        price_cents=0,
    ),
    ServiceCard(
        "couple-session",
        "Session for two",
        "Eighty minutes for both of you.",
        minutes=80,
        step=30,
        buffer_after=10,
        notice=24 * 60,
        attendees="couple",
        place="address",
        booking="instant",
        invite_gate="private_check",
        price_cents=18_000,
    ),
    ServiceCard(
        "individual-session",
        "Session for one",
        "Fifty minutes for you alone.",
        minutes=50,
        step=30,
        buffer_after=10,
        notice=24 * 60,
        attendees="one",
        place="address",
        booking="instant",
        invite_gate="private_check",
        price_cents=12_000,
    ),
    ServiceCard(
        "long-session",
        "Long session",
        "Three hours, for when an hour and a bit is never enough. We look at each wish first.",
        minutes=180,
        step=30,
        buffer_after=30,
        notice=3 * 24 * 60,
        attendees="couple",
        place="address",
        booking="request",
        invite_gate="private_check",
        price_cents=38_000,
    ),
)

# (service, slug, what is asked, choices, whether an answer is needed)
QUESTIONS: Final = (
    ("consultation", "brings", "What brings you, in a sentence or two?", (), False),
    (
        "consultation",
        "before",
        "Have you been to somebody like us before?",
        ("No", "Yes, alone", "Yes, together"),
        True,
    ),
    ("long-session", "why-long", "What would you use the longer time for?", (), True),
)

# (slug, text), asked before every service
CONSENTS: Final = (
    (
        "keeping",
        "I agree that the practice keeps what I enter here, sealed, to prepare our meeting.",
    ),
    ("cutoff", "I can move or cancel until 24 hours before; after that I call the practice."),
)

# What comes before a first session: (service, or "" for any other, instruments)
_FIRST: Final = ("private-check", "practice-intake")
FORMS: Final = (
    ("", _FIRST),
    ("couple-session", (*_FIRST, "cycle-reflection")),
    ("long-session", (*_FIRST, "cycle-reflection")),
)

ANSWERS: Final = (
    "We have the same argument about the dishes, and it is never about the dishes.",
    "One of us talks, the other goes quiet. We would like to meet in the middle.",
    "We are moving in together and want to begin well.",
    "After the baby we lost the knack of talking to each other.",
    "I would like to understand why I leave the room.",
    "My partner says that I chase. I say that I knock.",
)

BEFORE: Final = ("No", "No", "Yes, alone", "Yes, together")

GIVEN: Final = (
    *("Ana", "Ben", "Chris", "Dana", "Elif", "Femi", "Greta", "Hugo", "Ines", "Jonas", "Kemi"),
    *("Lior", "Mei", "Noor", "Oskar", "Priya", "Quinn", "Rosa", "Stellan", "Tamar", "Ugo"),
    *("Vera", "Wanda", "Ximena", "Yusuf", "Zoë", "Amara", "Björn", "Chiara", "Dov", "Esra"),
    *("Farid", "Giulia", "Hana", "Ismael", "Júlia", "Kofi", "Lena", "Mateo", "Nadia"),
)

SURNAMES: Final = (
    *("Thistlemere", "Quillfeather", "Marrowby", "Pennywhistle", "Oakenshade", "Larkbottom"),
    *("Fernsby-Moss", "Gooseberry", "Windlethorpe", "Kettlebrook", "Saltmarigold", "Bramblecote"),
    *("Nightjar", "Puddlecombe", "Cloudberry", "Tinderbox", "Wickerlane", "Honeyford"),
    *("Applegarth-Reed", "Driftwhistle", "Moonraker", "Sorrelwood", "Teasel", "Umberley"),
    *("Violetstone", "Yarrowgate", "Zephyrson", "Acornby", "Buttonquail", "Copperleaf"),
    *("Dandelion", "Elderflower", "Foxglove", "Gorseheath", "Hazelnook", "Inkcap"),
    *("Juniperus", "Kingcup", "Lichenfield", "Meadowrue", "Nutmegson"),
)

AREA_CODES: Final = ("201", "212", "415", "503", "617", "718", "802", "917")


def sign_ins() -> list[tuple[str, str, str]]:
    """Everybody who can sign in to the demo practice: (username, password, role)."""
    return [(card.username, card.password, card.role) for card in MEMBERS]


def counselors(count: int) -> tuple[CounselorCard, ...]:
    """The three counselors, and as many more as a large practice needs, with hours like theirs."""
    more = (
        CounselorCard(
            f"counselor-{number}",
            f"{GIVEN[number % len(GIVEN)]} {SURNAMES[number * 7 % len(SURNAMES)]}",
            COUNSELORS[number % 3].zone,
            COUNSELORS[number % 3].languages,
            COUNSELORS[number % 3].about,
            None,
            COUNSELORS[number % 3].weekly,
        )
        for number in range(len(COUNSELORS), count)
    )
    return (*COUNSELORS, *more)
