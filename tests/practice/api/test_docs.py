"""The example of docs/api.md, word for word, at the demo practice that a reader has before them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests.practice.api.conftest import Caller

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(__file__).parents[3] / "docs" / "api.md"


def test_the_example_books_on_the_demo(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    # The demo is laid around the real day.
    monkeypatch.setattr(timezone, "now", lambda: datetime.now(UTC))
    call_command("demo", cases=2)
    words = PAGE.read_text()
    asked = re.search(r"localhost:8000(/api/v1/slots/[^']+)", words)
    sent = re.search(r"-d '(\{.*?\})'", words, re.DOTALL)
    assert asked
    assert sent
    slots = api.client.get(asked[1]).json()["slots"]
    body = json.loads(sent[1]) | {"start": slots[0]["start"]}
    assert api.book(body).status_code == 201
