"""The practice of the views' tests, and a client that speaks JSON."""

import json
from typing import Any

import pytest
from django.test import Client

from tests.practice.views.conftest import clock, iris, practice, talk

__all__ = ["clock", "iris", "practice", "talk"]

V1 = "/api/v1"


class Caller:
    """Sends what a program sends, and reads what it would read."""

    def __init__(self) -> None:
        self.client = Client()

    def get(self, path: str, query: dict[str, Any] | None = None, **headers: str) -> Any:
        return self.client.get(f"{V1}/{path}", query or {}, headers=headers)

    def post(self, path: str, body: object, **headers: str) -> Any:
        return self.client.post(
            f"{V1}/{path}", json.dumps(body), content_type="application/json", headers=headers
        )

    def delete(self, path: str) -> Any:
        return self.client.delete(f"{V1}/{path}")

    def book(self, body: object, key: str = "a-key-of-the-widget") -> Any:
        return self.post("bookings/", body, **{"Idempotency-Key": key})


@pytest.fixture
def api() -> Caller:
    return Caller()
