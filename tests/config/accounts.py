"""Steps that tests about accounts share: sign in, set up factors, read codes."""

import json
import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.mfa.utils import decrypt
from django.contrib.auth.models import User
from django.test import Client

from tests import factories as make
from tests.soft_passkey import SoftPasskey

LOGIN = "/accounts/login/"
CODE = "/accounts/login/code/"
ORIGIN = "http://localhost:8000"


class Steps:
    """The clock of the codes: it stands still until a test goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 58_000_000
        monkeypatch.setattr(totp, "yield_hotp_counters_from_time", lambda: iter([self.now]))

    def go_on(self) -> None:
        self.now += 1

    def code(self, user: User) -> str:
        """What the user's app shows now."""
        row = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
        return self.code_of(decrypt(row.data["secret"]))

    def code_of(self, secret: str) -> str:
        return str(totp.format_hotp_value(totp.hotp_value(secret, self.now)))


def sign_in(client: Client, name: str, password: str = make.PASSWORD, **more: Any) -> Any:
    """Send name and password."""
    return client.post(LOGIN, {"login": name, "password": password, **more})


def prove(client: Client) -> None:
    """The password once more, as it is asked for before a change."""
    answer = client.post("/accounts/again/", {"password": make.PASSWORD, "next": "/accounts/"})
    assert answer.status_code == 302, answer.status_code


def set_up_app(client: Client, steps: Steps) -> str:
    """Set up an authenticator app through the pages; returns its secret."""
    prove(client)
    page = client.get("/accounts/app/").content.decode()
    (secret,) = re.findall(r"<code>([A-Z2-7]+)</code>", page)
    answer = client.post("/accounts/app/", {"code": steps.code_of(secret)})
    assert answer.status_code == 302, answer.content.decode()
    steps.go_on()
    return str(secret)


def data_of(answer: Any) -> dict[str, Any]:
    """What the page hands to the passkey's script."""
    (found,) = re.findall(
        r'<script id="passkey-data" type="application/json">(.*?)</script>',
        answer.content.decode(),
    )
    parsed: dict[str, Any] = json.loads(found)
    return parsed


def add_passkey(client: Client, origin: str = ORIGIN) -> SoftPasskey:
    """Add a passkey through the pages."""
    prove(client)
    options = data_of(client.get("/accounts/passkeys/"))["creation_options"]
    key = SoftPasskey(origin)
    answer = client.post(
        "/accounts/passkeys/",
        {"name": "", "passwordless": "on", "credential": json.dumps(key.register(options))},
    )
    assert answer.status_code == 302, answer.content.decode()
    return key


def passkey_options(client: Client) -> dict[str, Any]:
    """What the sign-in page's script asks the site for."""
    answer = client.get("/accounts/login/passkey/", headers={"Accept": "application/json"})
    options: dict[str, Any] = answer.json()["request_options"]
    return options


def sign_in_with(client: Client, credential: dict[str, Any]) -> Any:
    """Send a passkey's answer."""
    return client.post("/accounts/login/passkey/", {"credential": json.dumps(credential)})


def is_in(client: Client) -> bool:
    """Whether this browser is signed in."""
    return client.get("/accounts/").status_code == 200
