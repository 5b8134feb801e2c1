"""A practice in which every word that says who somebody is can be told from every other.

Each word is a canary: it names whose it is and what it is (`zq9ana9name`), so that a page on which
it turns up where it shouldn't is told by the word alone. Who may see which is written down here
once more, by hand, and not asked of the code that the tests are about.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from django.conf import settings
from django.test import Client
from django.utils import timezone
from fido2.cose import ES256
from fido2.webauthn import Aaguid, AttestedCredentialData

from clients.models import (
    BreakGlass,
    CareRelation,
    Case,
    ClientPasskey,
    ClientPin,
    ClientSession,
    DataRequest,
    Member,
    Notice,
    Person,
    SignInLink,
)
from clients.rules import access
from clients.rules.actors import PROOF_LINK, PROOF_SECOND
from clients.rules.audience import Audience
from intake.models import Intake, Response
from intake.rules.taking import POLICY_VERSION
from intake.views import visit as forms
from practice.models import Answer, Appointment, Attendance, FormRule, Question
from practice.views import visit
from tests import factories as make

Word = tuple[str, str]

# What there is to be seen of a person.
NAME, EMAIL, PHONE, TOKEN, REASON = "name", "email", "phone", "token", "reason"
WORDS = tuple(f"words{audience}" for audience in Audience)
CONTACT = (EMAIL, PHONE)
# Why something was booked beside the hours, and why a glass was broken: of a case, not a person.
BESIDE, GLASS = "beside", "glass"
# What somebody calls their own passkey.
DEVICE = "device"
# What somebody wrote into each kind of form, and what they haven't sent yet.
CHECK, CYCLE, FIRST, MOODS, OWN, BOTHS, UNSENT = (
    f"answers{form}" for form in ("check", "cycle", "first", "moods", "own", "boths", "unsent")
)
# The note with which a flag was closed, and the name under a consent.
NOTE, SIGNED = "flagnote", "signed"
# Of a review, of a case: why it was decided so; and of a person, what they are told of it.
WHY, TOLD = "why", "told"

# Each case with those who are in it. Iris has the first two, the second is restricted; Theo has
# the third.
CASES = {"A": ("ana", "ben"), "R": ("rex", "rosa"), "O": ("chris",)}
LAST_OF = {case: persons[-1] for case, persons in CASES.items()}
CASE_OF = {who: case for case, persons in CASES.items() for who in persons}

# Whose names somebody may see, and whose records they may read.
KNOWS = {
    "sam": "AO",
    "rita": "AO",
    "iris": "AR",
    "carl": "AR",
    "theo": "O",
    "uma": "AR",
    "olive": "AO",
    "nora": "AOR",
    "gus": "A",
}
OPENS = {"iris": "AR", "carl": "AR", "theo": "O", "uma": "AR", "gus": "A"}
# Whom they counsel, themselves or with another, or behind the glass: all of it but to look on.
COUNSELS = {"iris": "AR", "carl": "AR", "theo": "O", "gus": "A"}
# Whose supervisor was told that a flag was left unopened.
ESCALATED = "RO"
REACHES = {"sam": "AO", "rita": "AO", "olive": "AO", "nora": "AOR"}
# Who may open a case that isn't theirs, for an hour, if it isn't restricted.
MAY_BREAK = ("iris", "carl", "theo", "uma", "una", "olive", "gus")


def canary(who: str, what: str) -> str:
    return f"zq9{who}9{what}"


_WHO = "|".join([*CASE_OF, *(case.lower() for case in CASES)])
_WHAT = "|".join(
    [
        *(NAME, EMAIL, REASON, BESIDE, GLASS, DEVICE, *WORDS),
        *(CHECK, CYCLE, FIRST, MOODS, OWN, BOTHS, UNSENT, NOTE, SIGNED, WHY, TOLD),
    ]
)
_FOUND = re.compile(f"zq9({_WHO})9({_WHAT})")


@dataclass
class Cast:
    """The practice, who asks, and what there is to ask for."""

    members: dict[str, Member] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    appointments: dict[str, Appointment] = field(default_factory=dict)
    intakes: dict[str, Intake] = field(default_factory=dict)
    attendances: dict[str, Attendance] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    # What else addresses name, by what it is and by the case that it belongs to.
    named: dict[str, dict[str, str]] = field(default_factory=dict)
    # What doesn't say by itself whose it is: numbers, links.
    other_words: dict[str, Word] = field(default_factory=dict)

    def found_in(self, text: str) -> set[Word]:
        """The canaries in a text, however they are written there."""
        folded = unquote(text).casefold()
        found: set[Word] = {(who, what) for who, what in _FOUND.findall(folded)}
        digits = re.sub(r"[\s().-]|&nbsp;", "", folded)
        for word, meaning in self.other_words.items():
            if word.casefold() in folded or (word.isdigit() and word in digits):
                found.add(meaning)
        return found


def allowed(caller: str) -> set[Word]:
    """What a caller may see at all."""
    found: set[Word] = set()
    for who, case in CASE_OF.items():
        opens = case in OPENS.get(caller, "")
        if case in KNOWS.get(caller, ""):
            found |= {(who, NAME), (who, REASON)}
        if opens:
            found |= {(who, words) for words in (*WORDS, CYCLE, FIRST, MOODS, OWN, BOTHS, SIGNED)}
        if case in COUNSELS.get(caller, ""):
            found |= {(who, CHECK), (who, NOTE)}
        if caller == "uma" and opens and case in ESCALATED:
            found.add((who, NOTE))
        if opens or case in REACHES.get(caller, ""):
            found |= {(who, EMAIL), (who, PHONE)}
        if caller == "rita" and case in KNOWS["rita"]:
            found |= {(who, f"words{Audience.STAFF}"), (who, FIRST)}
        if caller == "rita" or case in COUNSELS.get(caller, ""):
            found |= {(who, TOLD)} if case in KNOWS[caller] else set()
    for case in KNOWS.get(caller, ""):
        found.add((case.lower(), BESIDE))
        if caller == "rita" or case in COUNSELS.get(caller, ""):
            found.add((case.lower(), WHY))
    return found | _own(caller)


def _own(caller: str) -> set[Word]:
    """Of clients: their link opens their own part, the second proof their own words."""
    if caller == "link":
        return {("ana", TOKEN)}
    who = caller.rstrip("12")
    if who not in CASE_OF or caller == who:
        return set()
    found = {(who, what) for what in (NAME, EMAIL, PHONE, DEVICE, SIGNED, TOLD)}
    if caller.endswith("2"):
        found |= {(who, REASON), (who, FIRST), (who, OWN)}
        found |= {(one, BOTHS) for one in CASES[CASE_OF[who]]}
        found |= {
            (who, f"words{one}") for one in (Audience.PERSON, Audience.COUPLE, Audience.STAFF)
        }
        found |= {(one, f"words{Audience.COUPLE}") for one in CASES[CASE_OF[who]]}
    return found


def populate() -> Cast:
    """Three cases, everybody who may ask, and a browser for each."""
    cast = Cast()
    make.practice()
    make.reminder()
    _members(cast)
    iris, theo = make.counselor("iris"), make.counselor("theo")
    cast.members |= {"iris": iris.member, "theo": theo.member}
    talk = make.service(counselors=[iris, theo])
    for number, who in enumerate(CASE_OF):
        phone = f"+1201555017{number}"
        cast.persons[who] = make.person(
            name=f"{canary(who, NAME).title()} Reed",
            email=f"{canary(who, EMAIL)}@kx.example",
            phone=phone,
        )
        cast.other_words[phone[2:]] = (who, PHONE)
    for number, (name, whos) in enumerate(CASES.items()):
        owner = theo if name == "O" else iris
        persons = [cast.persons[who] for who in whos]
        cast.cases[name] = make.case(*persons, counselor=owner)
        cast.appointments[name] = make.appointment(
            owner,
            talk,
            *persons,
            start=make.at(2 + number),
            case=cast.cases[name],
            override_reason=canary(name.lower(), BESIDE),
        )
    questions = {
        audience: Question.objects.create(service=talk, slug=audience, label="What brings you?")
        for audience in Audience
    }
    for row in Attendance.objects.select_related("person__key", "appointment__counselor"):
        (who,) = [one for one, person in cast.persons.items() if person == row.person]
        cast.attendances[who] = row
        cast.other_words[row.token] = (who, TOKEN)
        row.cancel_reason = canary(who, REASON)
        row.save(update_fields=["cancel_reason"])
        make.message(row)
        for audience, question in questions.items():
            Answer.objects.create(
                attendance=row,
                question=question,
                text=canary(who, f"words{audience}"),
                audience=audience,
            )
    _care(cast)
    _forms(cast)
    _browsers(cast)
    _portals(cast)
    _named(cast)
    return cast


def _members(cast: Cast) -> None:
    cast.members |= {
        "sam": make.front_desk(),
        "rita": make.reviewer(),
        "carl": make.member("carl", roles=["counselor"]),
        "uma": make.supervisor(),
        "una": make.supervisor("una"),
        "olive": make.admin(),
        "nora": make.front_desk("nora"),
        "gus": make.member("gus", roles=["counselor"]),
        "nobody": make.member("nobody", roles=[]),
    }


def _care(cast: Cast) -> None:
    """Who else cares for Iris's two cases, who may know of the restricted one, who opened one."""
    now = make.NOW
    for name in "AR":
        for who, kind in (("carl", "co_counselor"), ("uma", "supervisor")):
            CareRelation.objects.create(
                case=cast.cases[name], member=cast.members[who], kind=kind, since_at=now
            )
    restricted = cast.cases["R"]
    restricted.restricted_at = now
    restricted.save(update_fields=["restricted_at"])
    CareRelation.objects.create(
        case=restricted, member=cast.members["nora"], kind="named", since_at=now
    )
    BreakGlass.objects.create(
        case=cast.cases["A"],
        member=cast.members["gus"],
        reason=canary("a", GLASS),
        opened_at=now,
        ends_at=now + BreakGlass.LONGEST,
    )


# Each form with whether only a clinician sees its answers; each asks for free words, too.
FORMS = {
    "private-check": (CHECK, True, "counselor"),
    "cycle-reflection": (CYCLE, False, "counselor"),
    "practice-intake": (FIRST, False, "staff"),
    "phq-9": (MOODS, False, "counselor"),
    "own": (OWN, False, "person"),
    "boths": (BOTHS, False, "couple"),
}


def _forms(cast: Cast) -> None:
    """Everybody has sent a form of each kind, and has begun one; a flag is closed with a note."""
    iris = cast.members["iris"]
    forms = {
        slug: make.instrument(id=slug, title=slug, visibility=audience)
        for slug, (_, _, audience) in FORMS.items()
    }
    open_form = make.instrument()
    named = cast.named
    kinds = ("intake", "asked", "given", "response", "flag", "open flag", "review", "agreement")
    named |= {kind: {} for kind in kinds}
    answered: dict[str, Response] = {}
    for who, case in CASE_OF.items():
        person, of_case = cast.persons[who], cast.cases[case]
        cast.intakes[who] = intake = make.intake(of_case, person)
        cast.other_words[intake.token] = (who, TOKEN)
        sent = {}
        for slug, (what, guarded, _) in FORMS.items():
            given = make.assignment(intake, forms[slug])
            words = {"close": "often", "words": canary(who, what)}
            sent[slug] = make.response(given, words, guarded=guarded)
        answered[who] = sent["cycle-reflection"]
        begun = make.assignment(intake, open_form, position=len(FORMS))
        make.response(begun, {"words": canary(who, UNSENT)}, sent=False)
        escalated = make.NOW if case in ESCALATED else None
        flag = make.flag(
            of_case,
            person,
            response=sent["private-check"],
            closed_by=iris,
            note=canary(who, NOTE),
            escalated_at=escalated,
        )
        opened = make.flag(of_case, person, kind="self-harm", escalated_at=escalated)
        agreed = make.agreement(
            of_case,
            person,
            kind="consent",
            slug="practice-intake",
            response=sent["practice-intake"],
            signed_name=canary(who, SIGNED),
        )
        make.agreement(of_case, person, kind="policy", slug="limited", version=POLICY_VERSION)
        if who == "ana":
            # Of A these are Ana's, since it is she who came by a link.
            named["given"]["A"] = str(begun.pk)
        if who == LAST_OF[case]:
            named["intake"][case], named["asked"][case] = intake.token, str(intake.pk)
            named["given"].setdefault(case, str(begun.pk))
            named["response"][case] = str(sent["cycle-reflection"].pk)
            named["flag"][case], named["open flag"][case] = str(flag.pk), str(opened.pk)
            named["agreement"][case] = str(agreed.pk)
    _releases(cast, answered)
    for case, row in cast.cases.items():
        review = make.review(row)
        named["review"][case] = str(review.pk)
        make.review_step(review, by=cast.members["rita"], reason=canary(case.lower(), WHY))
        for who in CASES[case]:
            person = cast.persons[who]
            make.review_step(review, by=iris, person=person, words=canary(who, TOLD))
    named["instrument"] = {"A": open_form.slug}
    named["rule"] = {"A": str(FormRule.objects.create(slug=open_form.slug, active=False).pk)}


def _releases(cast: Cast, answered: Mapping[str, Response]) -> None:
    """Both of each couple agreed to look at it together, and their counselor released it."""
    for case, whos in CASES.items():
        for who in whos:
            make.agreement(cast.cases[case], cast.persons[who])
        if len(whos) == 2:
            make.release(
                cast.cases[case], *(answered[who] for who in whos), by=cast.members["iris"]
            )


def _browsers(cast: Cast) -> None:
    """Visitors, users and members, each with a browser of their own."""
    for name, member in cast.members.items():
        cast.clients[name] = Client(raise_request_exception=False)
        cast.clients[name].force_login(member.user)
    stranger = type(cast.members["sam"].user).objects.create_user("stranger")
    cast.clients["stranger"] = Client(raise_request_exception=False)
    cast.clients["stranger"].force_login(stranger)
    cast.clients["visitor"] = Client(raise_request_exception=False)
    cast.clients["link"] = link = Client(raise_request_exception=False)
    session = link.session
    visit.keep_own(session, cast.attendances["ana"], timezone.now())
    forms.keep_own(session, cast.intakes["ana"], timezone.now())
    session.save()
    link.cookies[settings.SESSION_COOKIE_NAME] = session.session_key or ""


def _portals(cast: Cast) -> None:
    """Ana in her own page by a link, and with a second proof; Ben, her partner, with it, too."""
    now = make.NOW
    for who, caller, proof in (
        ("ana", "ana1", PROOF_LINK),
        ("ana", "ana2", PROOF_SECOND),
        ("ben", "ben2", PROOF_SECOND),
        ("rosa", "", PROOF_SECOND),
        ("chris", "", PROOF_SECOND),
    ):
        token = secrets.token_urlsafe(32)
        row = ClientSession.objects.create(
            person=cast.persons[who],
            token_hash=access.token_hash(token),
            proof=proof,
            browser="Firefox, Linux",
            opened_at=now,
            seen_at=now,
            ends_at=now + access.LONGEST,
        )
        cast.other_words[token] = (who, TOKEN)
        if caller:
            cast.clients[caller] = Client(raise_request_exception=False)
            cast.clients[caller].cookies["duet"] = token
        else:
            cast.named.setdefault("session", {})[CASE_OF[who]] = str(row.pk)
    other = ClientSession.objects.get(person=cast.persons["ben"])
    other.pk, other.token_hash = None, access.token_hash("another browser of his")
    other.save(force_insert=True)
    cast.named["session"]["A"] = str(other.pk)


def _credential(name: str) -> bytes:
    """What is kept of a passkey; nobody has the other half of its key."""
    key = ES256({1: 2, 3: -7, -1: 1, -2: bytes(32), -3: bytes(32)})
    return bytes(AttestedCredentialData.create(Aaguid(bytes(16)), name.encode(), key))


def _named(cast: Cast) -> None:
    """What belongs to the last person of each case, to its counselor, to itself."""
    now, named = make.NOW, cast.named
    named |= {kind: {} for kind in ("link", "passkey", "notice", "care", "request")}
    for case, who in LAST_OF.items():
        person = cast.persons[who]
        token = secrets.token_urlsafe(16)
        SignInLink.objects.create(
            person=person,
            token_hash=access.token_hash(token),
            token=token,
            made_at=now,
            ends_at=now + access.LINK_LASTS,
        )
        cast.other_words[token], named["link"][case] = (who, TOKEN), token
        passkey = ClientPasskey.objects.create(
            person=person, credential=_credential(token), name=canary(who, DEVICE), made_at=now
        )
        named["passkey"][case] = str(passkey.pk)
        ClientPin.objects.create(person=person)
        asked = DataRequest.objects.create(person=person, kind=DataRequest.Kind.COPY, asked_at=now)
        named["request"][case] = str(asked.pk)
        told = Notice.objects.create(
            member=cast.members["theo" if case == "O" else "iris"],
            kind="glass_broken",
            subject_kind="case",
            subject_id=cast.cases[case].pk,
            made_at=now,
        )
        named["notice"][case] = str(told.pk)
        relation = (
            CareRelation.objects.get(case=cast.cases[case], member=cast.members["carl"])
            if case != "O"
            else CareRelation.objects.create(
                case=cast.cases[case], member=cast.members["nora"], kind="named", since_at=now
            )
        )
        named["care"][case] = str(relation.pk)
    named["service"], named["hours"] = {"A": "first-talk"}, {"A": "iris", "O": "theo"}
    named["appointment"] = {case: str(row.pk) for case, row in cast.appointments.items()}
    named["case"] = {case: str(row.pk) for case, row in cast.cases.items()}
    for case, who in LAST_OF.items():
        named.setdefault("attendance", {})[case] = str(cast.attendances[who].pk)
        named.setdefault("token", {})[case] = cast.attendances[who].token
        named.setdefault("person", {})[case] = str(cast.persons[who].pk)
