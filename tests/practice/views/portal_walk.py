"""What tests of a person's own pages do as a browser does it."""

import re
from typing import Any

from django.test import Client
from django.utils import timezone

from clients.actions import access
from clients.models import ClientSession, Person, SignInLink
from clients.rules.actors import PROOF_SECOND
from tests import factories as make

PIN = "271828"
PAGES = ("mine", "consents", "safe-contact", "sessions", "requests", "pin", "prove")
PROVED = ("answers", "looks", "contact", "proofs", "copy", "safe-contact", "requests")
_TOKENS = re.compile(rb'(name="(?:csrfmiddlewaretoken|note)" value=")[^"]*|(data-options=")[^"]*')


def link_for(person: Person) -> SignInLink:
    """A link as its letter brings it."""
    access.send_links(persons=[person], by=make.SYSTEM, now=timezone.now())
    return SignInLink.objects.select_related("person__key").get(person=person, used_at=None)


def sign_in(person: Person, client: Client | None = None) -> Client:
    """Use a link for this person."""
    client = client or Client()
    answer = client.post(f"/portal/in/{link_for(person).token}/")
    assert answer["Location"] == "/portal/mine/"
    return client


def prove(person: Person, client: Client | None = None) -> Client:
    """Sign in and give the second proof: a PIN that is set with a code."""
    client = sign_in(person, client)
    code = access.give_code(person=person, by=make.SYSTEM, now=timezone.now())
    answer = client.post("/portal/pin/", {"code": code, "pin": PIN, "again": PIN})
    assert answer.status_code == 302, answer.content.decode()
    return client


def session(person: Person) -> ClientSession:
    """The one open session of a person."""
    return ClientSession.objects.get(person=person, ended_at=None)


def is_proved(person: Person) -> bool:
    return session(person).proof == PROOF_SECOND


def same(response: Any) -> bytes:
    """A page without what is drawn anew each time: tokens and challenges."""
    content: bytes = response.content
    return _TOKENS.sub(rb"\1\2", content)
