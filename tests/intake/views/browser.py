"""A browser without JavaScript: it reads a page's form and sends what a person fills in."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client


class Fields(HTMLParser):
    """The fields of a page's one form, as a browser would send them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.sent: dict[str, list[str]] = {}
        self.choices: dict[str, list[str]] = {}
        self.texts: list[str] = []
        self.action: str | None = None
        self._in: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        name = told.get("name", "")
        if tag == "form" and told.get("method") == "post":
            self.action = told.get("action", "")
        if tag == "textarea" and name:
            self._in = name
            self.texts.append(name)
            self.sent[name] = [""]
        if tag != "input" or not name:
            return
        if told.get("type") in {"radio", "checkbox"}:
            self.choices.setdefault(name, []).append(told["value"])
            if "checked" in told:
                self.sent.setdefault(name, []).append(told["value"])
        else:
            if told.get("type") != "hidden":
                self.texts.append(name)
            self.sent[name] = [told.get("value", "")]

    def handle_data(self, data: str) -> None:
        if self._in:
            self.sent[self._in] = [self.sent[self._in][0] + data]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._in:
            # The first line break after the tag belongs to the page and not to the text.
            self.sent[self._in] = [self.sent[self._in][0].removeprefix("\n")]
            self._in = None


class Browser:
    """Goes through pages as a person does who has no JavaScript."""

    def __init__(self) -> None:
        self.client = Client()
        self.at = ""
        self.answer: Any = None

    def get(self, path: str) -> HttpResponse:
        self.answer = self.client.get(path, follow=True)
        self.at = self.answer.redirect_chain[-1][0] if self.answer.redirect_chain else path
        return self.answer  # type: ignore[no-any-return]

    @property
    def page(self) -> str:
        return str(self.answer.content.decode())

    @property
    def text(self) -> str:
        """What a person reads of the main part."""
        main = self.page.partition("<main")[2].partition("</main>")[0]
        return " ".join(re.sub(r"<[^>]+>", " ", main).split())

    def fields(self) -> Fields:
        return Fields(self.page.partition("<main")[2])

    def send(self, fill: Mapping[str, Any] | None = None, *, go: str = "") -> HttpResponse:
        """Press the form's button with these fields filled in."""
        form = self.fields()
        data = {**form.sent, **(fill or {})}
        if go:
            data["go"] = go
        path = form.action or self.at
        self.answer = self.client.post(path, data, follow=True)
        chain = self.answer.redirect_chain
        self.at = urlsplit(chain[-1][0]).path if chain else path
        return self.answer  # type: ignore[no-any-return]

    def next(self, **answers: Any) -> HttpResponse:
        """Answer the questions of the page, and go on."""
        return self.send({f"q-{name}": one for name, one in answers.items()}, go="next")
