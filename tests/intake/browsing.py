"""Fills in forms behind a link as a browser without JavaScript does it."""

import re
from html import unescape
from typing import Any
from uuid import UUID

from django.test import Client

from intake.models import Assignment, Intake
from intake.rules.definition import Definition
from tests.intake import filling
from tests.intake.filling import Answer, Pick
from tests.practice.views import walk

Fields = dict[str, Answer]
_NAMES = re.compile(r'\bname="q-([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def come_in(intake: Intake, client: Client | None = None) -> Client:
    """Open the link and press its button."""
    client = client or Client()
    address = f"/i/{intake.token}/"
    assert client.get(address).status_code == 200
    answer = client.post(address)
    assert answer["Location"] == "/i/", walk.text(answer)
    return client


def hidden(page: Any) -> Fields:
    """What a page's form sends along without being asked."""
    text = page.content.decode()
    # Of the form in the middle of the page: whatever else there is sends nothing of it.
    form = text[text.index('<form method="post"') :]
    found = _HIDDEN.findall(form[: form.index("</form>")])
    return {name: unescape(value) for name, value in found if name != "csrfmiddlewaretoken"}


def asked(page: Any) -> list[str]:
    """The questions of a page."""
    return list(dict.fromkeys(_NAMES.findall(page.content.decode())))


def filled(page: Any, definition: Definition, pick: Pick = filling.first) -> Fields:
    """What the page sends once every question of it has an answer; empty ones aren't sent."""
    fields = hidden(page) | {"go": "next"}
    for name in asked(page):
        item = definition.item(name)
        assert item is not None
        fields[f"q-{name}"] = pick(definition, item)
    return {name: value for name, value in fields.items() if value != []}


def accept(client: Client) -> None:
    """Read how what is said alone is kept, and agree."""
    page = client.get("/i/policy/")
    assert page.status_code == 200
    answer = client.post("/i/policy/", hidden(page))
    assert answer.status_code == 302, walk.text(answer)


def go_to(client: Client, pk: UUID) -> Any:
    """Where the form goes on; agrees first if it has to."""
    answer = client.get(f"/i/{pk}/", follow=True)
    if answer.redirect_chain[-1][0] == "/i/policy/":
        accept(client)
        answer = client.get(f"/i/{pk}/", follow=True)
    assert answer.status_code == 200, walk.text(answer)
    return answer


def here(page: Any) -> str:
    """The address of the page."""
    chain = getattr(page, "redirect_chain", None)
    return str(chain[-1][0] if chain else page.request["PATH_INFO"])


def fill(client: Client, given: Assignment, pick: Pick = filling.first) -> Any:
    """Every page of a form, as far as the last look at it, which is returned."""
    page = go_to(client, given.pk)
    for _ in range(200):
        address = here(page)
        if address.endswith(("/review/", "/sent/", "/later/")):
            return page
        if address.endswith("/help/"):
            (following,) = re.findall(r'href="(/i/[^"]+/(?:\d+|review)/)"', walk.text(page))[:1]
            page = client.get(following)
            continue
        sent = filled(page, given.instrument.parsed, pick)
        page = client.post(address, sent, follow=True)
        assert page.status_code == 200, walk.text(page)
    raise AssertionError("a form without an end")


def send(client: Client, given: Assignment, *, name: str = "A. Name") -> Any:
    """From the last look: sign if there is a line for it, and send."""
    address = f"/i/{given.pk}/review/"
    page = client.get(address)
    fields = hidden(page)
    if 'name="signed_name"' in page.content.decode():
        fields["signed_name"] = name
    return client.post(address, fields)


def complete(client: Client, given: Assignment, pick: Pick = filling.first) -> None:
    """Fill in, and send."""
    fill(client, given, pick)
    answer = send(client, given)
    assert answer.status_code == 302, walk.text(answer)
    assert answer["Location"] == f"/i/{given.pk}/sent/"
