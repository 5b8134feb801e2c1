"""No surface takes files: each case of the corpus is refused at every form, its field named.

Cases that need a stored file (its metadata removed, its quota, its way back out) stay listed in
`not_mapped_yet.txt`: refusing what was never offered doesn't meet them.
"""

from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from practice.models import Appointment, Attendance, Service
from tests import factories as make
from tests.bad_inputs import cases
from tests.bad_inputs.cases import Case
from tests.config.routes import routes

pytestmark = pytest.mark.django_db

FIELD = "attached-canary"
BOUNDARY = "----of-the-tests"
# What the file's words stand for, as far as a program would tell one from another.
FIXTURES = {
    "valid_1_page.pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
    "42.zip-like, 10 MB -> 4 GB": b"PK\x03\x04" + b"\x00" * 10_000_000,
    "zip entry ../../x": b"PK\x03\x04\x14" + b"\x00" * 21 + b"\x07\x00\x00\x00../../x",
    "64000x64000 png, 40 kB": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00\x00\xfa\x00" * 2,
    "EICAR test string": b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-TEST-FILE!$H+H*",
}
UPLOADS = [
    case
    for case in cases.read()
    if cases.MAPPED_ELSEWHERE.get(case.id) == "tests/bad_inputs/test_uploads.py"
]


def form(*parts: tuple[str, str, bytes]) -> bytes:
    """A form's body with files in it, each a name, a media type and its bytes."""
    body = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="service"\r\n\r\nx\r\n'.encode()
    for name, kind, content in parts:
        written = name.replace('"', "%22")
        head = f'form-data; name="{FIELD}"; filename="{written}"'
        body += f"--{BOUNDARY}\r\nContent-Disposition: {head}\r\n".encode()
        body += f"Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def send(client: Client, path: str, body: bytes) -> Any:
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return client.generic("POST", path, body, kind, headers={"Idempotency-Key": "a-key"})


def content_of(case: Case) -> bytes:
    """The bytes that the case would send, and as many files of them."""
    given: Any = case.input["file"]["bytes"]
    wrapper = next(iter(given)) if isinstance(given, dict) else ""
    if wrapper == "$fixture":
        return FIXTURES[given[wrapper]]
    if wrapper == "$many_files":
        return b"x"
    parts = given[wrapper] if wrapper == "$concat" else [given]
    return b"".join(plain(part) for part in parts)


def plain(value: Any) -> bytes:
    found = cases.unwrap(value, now=make.NOW)
    return found if isinstance(found, bytes) else str(found).encode()


def sent(case: Case) -> bytes:
    """The body of the case's request."""
    given = case.input["file"]
    held = given["bytes"]
    count = held.get("$many_files", 1) if isinstance(held, dict) else 1
    return form(*[(given["name"], given["content_type"], content_of(case))] * count)


def is_refused(response: Any) -> bool:
    """In words, with the field."""
    return response.status_code == 400 and f"“{FIELD}”" in response.content.decode()


@pytest.fixture
def token(talk: Service) -> str:
    """The link of somebody who is expected."""
    make.appointment(talk.counselors.get(), talk, make.ana(), start=make.at(1, "10:00"))
    return str(Attendance.objects.select_related("person__key").get().token)


@pytest.mark.parametrize("case", UPLOADS, ids=str)
def test_a_file_is_refused_at_every_kind_of_form(token: str, case: Case) -> None:
    stated = case.expect.get("status")
    assert 400 in stated if stated else case.expect["to"] == "cleaned name or 4xx"
    body = sent(case)
    member = Client()
    member.force_login(make.admin("adam").user)
    for client, path in (
        (Client(), "/book/hold/"),
        (Client(), f"/a/{token}/cancel/"),
        (Client(), "/accounts/login/"),
        (member, "/desk/book/"),
    ):
        response = send(client, path, body)
        assert is_refused(response), (path, response.status_code)
    assert Appointment.objects.get().state == Appointment.State.CONFIRMED


def said_by_all(token: str, body: bytes) -> dict[str, Any]:
    """What each route says to a member's form, without the token of a page of ours."""
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.cookies["csrftoken"] = "x" * 32
    member = make.admin("adam")
    found = {}
    for route in routes(token=[token]):
        for address in route.addresses:
            client.force_login(member.user)
            found[address] = send(client, address, body)
    return found


def test_no_route_takes_a_file(token: str) -> None:
    found = said_by_all(token, form(("x.pdf", "application/pdf", b"%PDF")))
    read = {address for address, response in found.items() if is_refused(response)}
    assert {"/book/details/", "/accounts/login/", "/desk/book/", f"/a/{token}/confirm/"} <= read
    others = {address: found[address] for address in found.keys() - read}
    # Where no form is read: no such method, not a form's media type, nothing there, nobody known.
    for address, response in others.items():
        led_away = response.status_code == 302 and response["Location"].startswith("/portal/")
        assert led_away or response.status_code in {401, 403, 404, 405, 415}, address


def test_without_the_guard_files_would_be_read(token: str, settings: Settings) -> None:
    """The control."""
    settings.FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
    found = said_by_all(token, form(("x.pdf", "application/pdf", b"%PDF")))
    assert not any(is_refused(response) for response in found.values())


def test_a_form_of_many_parts_without_files_is_read(token: str) -> None:
    """The other control: it is the file that is refused, not the kind of form."""
    response = send(Client(), f"/a/{token}/confirm/", form())
    assert response.status_code == 400
    assert FIELD not in response.content.decode()


def test_the_name_of_a_field_is_told_as_text_and_cut(token: str) -> None:
    body = form(("x.pdf", "x/y", b"x")).replace(FIELD.encode(), b"<b>" + b"x" * 500)
    page = send(Client(), "/accounts/login/", body).content.decode()
    assert "&lt;b&gt;xxx" in page
    assert "<b>" not in page
    assert "x" * 101 not in page
