"""What arrives over bare sockets at the real web server: odd, oversized, halved, and slow."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.children import wait_until
from tests.bad_inputs import cases
from tests.config.serving import Server, heard, serving, statuses
from tests.config.test_metrics import read

# The server's pages need tables, which no test of a run without this mark would make.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(120), pytest.mark.django_db]
CANARY = "kanarienvogel"
QUICK = ("--worker-class", "tests.config.serving.QuickWorker", "--keep-alive", "1")
ODD = [
    case
    for case in cases.read()
    if case.kind == "odd_header" and "AP-140" <= case.id <= "AP-152" and len(case.id) == 6
]


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[Server]:
    with serving(*QUICK) as running:
        yield running


def head(path: str = "/healthz", method: str = "GET", **headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def close(**headers: str) -> dict[str, str]:
    return {"Connection": "close", **headers}


def stated(case_id: str, status: int) -> bool:
    return status in cases.case(case_id).expect["status"]


def test_a_good_request_is_answered_and_its_connection_kept(server: Server) -> None:
    with server.open(head()) as opened:
        opened.settimeout(15)
        got = b""
        while not got.endswith(b"ok\n"):
            got += opened.recv(65_536)
        opened.sendall(head(**close()))
        assert statuses(got + heard(opened)) == [200, 200]


def test_requests_sent_in_one_go_are_answered_one_after_the_other(server: Server) -> None:
    assert server.say(head() + head("/no/such/page") + head(**close())) == [200, 404, 200]


def test_a_form_that_comes_in_pieces_is_read_whole(server: Server) -> None:
    body = b"service=" + b"a" * 100_000
    sent = head("/book/hold/", "POST", Content_Length=str(len(body)), **close())
    with server.open(sent[:40]) as opened:
        opened.sendall(sent[40:] + body[:1000])
        opened.sendall(body[1000:])
        assert statuses(heard(opened)) == [403]  # without the token of our own form


def test_a_body_length_and_chunks_at_once_are_refused(server: Server) -> None:
    raw = cases.case("AP-091").input["request"]["raw"].encode()
    (status,) = server.say(raw)
    assert stated("AP-091", status)


@pytest.mark.parametrize(
    "lengths",
    [
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\nContent-Length: 5",
        "Content-Length: -1",
        "Content-Length: +5",
        "Content-Length: 5x",
        "Content-Length: 5, 5",
        "Content-Length : 5",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: xchunked",
    ],
)
def test_a_body_of_unclear_length_is_refused_and_the_rest_is_no_request(
    server: Server, lengths: str
) -> None:
    sent = f"POST /book/hold/ HTTP/1.1\r\nHost: 127.0.0.1\r\n{lengths}\r\n\r\nhello".encode()
    answers = server.say(sent + head(**close()))
    assert len(answers) == 1
    assert answers[0] in {400, 411, 501}


def test_half_a_form_is_never_taken_for_the_whole(server: Server) -> None:
    sent = head("/book/hold/", "POST", Content_Length="50", **close())
    with server.open(sent + b"service=first") as opened:
        opened.shutdown(socket.SHUT_WR)
        assert statuses(heard(opened)) == [400]


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: Server) -> None:
    assert server.say(head("/book/hold/", "POST", Content_Length="3000000")) == [413]
    assert server.say(head("/book/hold/", "POST", Content_Length="9" * 30, **close()))[0] in {
        400,
        403,
        413,
    }


def test_an_answer_of_a_hundred_megabytes_is_refused_before_it_is_sent(server: Server) -> None:
    part, times = cases.case("IN-021").input["request"]["body"]["$repeat"]
    page = "/i/00000000-0000-0000-0000-000000000007/1/save/"
    length = str(len(part) * times)
    (status,) = server.say(head(page, "POST", Content_Length=length))
    assert stated("IN-021", status)


def test_who_asks_whether_to_send_a_body_is_told_to_go_on(server: Server) -> None:
    asked = head("/book/hold/", "POST", Content_Length="9", Expect="100-continue", **close())
    with server.open(asked) as opened:
        assert opened.recv(65_536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        opened.sendall(b"service=x")
        assert statuses(heard(opened)) == [403]


def test_too_many_and_too_large_headers_are_refused(server: Server) -> None:
    many = {f"X-H{number}": "x" for number in range(cases.case("AP-094").input["request"]["headers"]["$many"])}  # fmt: skip # noqa: E501
    assert stated("AP-094", server.say(head(**many))[0])
    part, times = cases.case("AP-095").input["request"]["headers"]["Cookie"]["$repeat"]
    assert stated("AP-095", server.say(head(Cookie=part * times))[0])
    part, times = cases.case("AP-096").input["request"]["query"]["q"]["$repeat"]
    assert stated("AP-096", server.say(head(f"/book/?q={part * times}"))[0])
    assert server.say(b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 100_000) == [431]


def test_a_nul_in_a_path_is_refused_or_not_found(server: Server) -> None:
    raw = cases.case("AP-098").input["request"]["raw_path"]
    for path in (raw, "/a/%00/", "/book/%00", "/static/%00", "/dev/mailbox/%00/"):
        assert stated("AP-098", server.say(head(path, **close()))[0]), path
    assert server.say(head("/book/?service=%00&from=%00&tz=%00", **close())) == [200]
    assert server.say(b"GET /a/\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")[0] in {400, 404}


@pytest.mark.parametrize("case", ODD, ids=str)
def test_an_odd_header_changes_nothing(server: Server, case: cases.Case) -> None:
    headers = case.input["request"]["headers"]
    (status,) = server.say(head("/book/", **close(**headers)))
    assert status in case.expect["status"]
    assert server.say(head("/book/", "POST", Content_Length="0", **close(**headers)))[0] < 500


def slow(opened: socket.socket) -> list[int]:
    """Send a byte now and then until the server has had enough."""
    began = time.monotonic()
    while time.monotonic() - began < 10:
        try:
            opened.sendall(b"x")
            opened.settimeout(0.4)
            if got := opened.recv(65_536):
                return statuses(got)
        except TimeoutError:
            continue
        except OSError:
            return []
    pytest.fail("nobody cut it")


def test_many_slow_ones_keep_nobody_out_and_are_cut(server: Server) -> None:
    sent = head("/book/hold/", "POST", Content_Length="1000")
    crowd = [server.open(sent) for _ in range(50)]
    crowd += [server.open(b"GET /healthz HTTP/1.1\r\nX-A: ") for _ in range(50)]
    crowd += [server.open() for _ in range(50)]
    began = time.monotonic()
    for _ in range(5):
        assert server.get("/healthz")[0] == 200
    assert time.monotonic() - began < 2, "others are served all the while"
    with server.open(sent) as opened:
        assert slow(opened)[0] in cases.case("AP-092").expect["status"]
    for opened in crowd:
        opened.close()


def test_a_chunked_body_is_refused_at_once_and_drips_keep_nobody_out(server: Server) -> None:
    sent = head("/book/hold/", "POST", Transfer_Encoding="chunked")
    with server.open(sent, b"1\r\nx\r\n") as opened:
        assert statuses(heard(opened)) == [411]
    crowd = [server.open(sent) for _ in range(40)]
    began = time.monotonic()
    assert server.get("/healthz")[0] == 200
    assert time.monotonic() - began < 2
    for opened in crowd:
        opened.close()


def test_who_falls_silent_in_mid_request_is_told(server: Server) -> None:
    with server.open(head("/book/hold/", "POST", Content_Length="10"), b"half") as opened:
        assert statuses(heard(opened)) == [408]


def test_who_does_not_hang_up_keeps_nobody_out(server: Server) -> None:
    left = [server.open(head(**close())) for _ in range(20)]
    began = time.monotonic()
    assert server.get("/healthz")[0] == 200
    assert time.monotonic() - began < 3
    for opened in left:
        opened.close()


def test_with_gunicorns_own_worker_slow_ones_keep_everybody_out() -> None:
    """The control: without ours, sixteen are enough."""
    with serving("--worker-class", "gthread", "--workers", "1", "--threads", "2") as plain:
        half = b"GET /healthz HTTP/1.1\r\nX-A: "
        crowd = [plain.open(half) for _ in range(2)]
        with plain.open() as waiting:
            time.sleep(0.5)
            waiting.sendall(head())
            waiting.settimeout(3)
            with pytest.raises(TimeoutError):
                waiting.recv(1)
        for opened in crowd:
            opened.close()


def test_no_log_of_the_server_tells_what_was_sent(server: Server) -> None:
    server.say(f"GET /{CANARY} {CANARY}\r\n\r\n".encode())
    server.say(head(f"/{CANARY}/?{CANARY}", **close(User_Agent=CANARY, X_Forwarded_For=CANARY)))
    server.say(f"{CANARY} / HTTP/1.1\r\nHost: {CANARY}\r\n{CANARY}\r\n\r\n".encode())
    server.say(head("/", **close(Content_Length=CANARY)))
    server.say(f"GET / HTTP/1.1\r\nHost: {CANARY}.example\r\nConnection: close\r\n\r\n".encode())
    written = server.log.read_text()
    assert "Invalid request" in written
    assert "route=none" in written
    assert CANARY not in written
    assert all(line.startswith("time=") for line in written.splitlines()), written


TOKEN = f"Zq3-{CANARY}-Qx7_{CANARY}"


def opening(server: Server) -> str:
    """What opens something, sent wherever such a thing is sent; all that was written about it."""
    told = close(
        Cookie=f"sessionid={TOKEN}; csrftoken={TOKEN}",
        Authorization=f"Bearer {TOKEN}",
        Referer=f"https://practice.example/a/{TOKEN}/",
    )
    for path in (
        *(f"/a/{TOKEN}/", f"/a/{TOKEN}/cancel/", f"/i/{TOKEN}/", f"/r/{TOKEN}/", f"/{TOKEN}"),
        *(f"/portal/in/{TOKEN}/", f"/accounts/password/reset/key/3-{TOKEN}/"),
        *(f"/api/v1/holds/{TOKEN}/", f"/api/v1/attendances/{TOKEN}/?x={TOKEN}"),
        *(f"/book/?{TOKEN}={TOKEN}", f"/desk/?next=/a/{TOKEN}/", f"/static/{TOKEN}.css"),
    ):
        assert all(status < 500 for status in server.say(head(path, **told)))
        body = f"token={TOKEN}".encode()
        length = {"Content_Length": str(len(body)), **told}
        form = {"Content_Type": "application/x-www-form-urlencoded", **length}
        assert all(status < 500 for status in server.say(head(path, "POST", **form) + body))
    server.process.terminate()
    server.process.wait(15)
    return server.log.read_text()


CHATTY = ("--config", "python:tests.config.chatty_gunicorn")


@pytest.mark.parametrize("options", [(), ("--access-logfile", "-"), CHATTY])
def test_no_log_of_the_server_tells_what_opens_something(
    django_db_setup: None, options: tuple[str, ...]
) -> None:
    """PO-033; also for an operator who asks gunicorn for a line about each request."""
    with serving(*options) as running:
        written = opening(running)
    assert "route=" in written
    assert ("logger=gunicorn.access" in written) is (options == CHATTY)
    assert CANARY not in written


def test_gunicorns_own_lines_would_tell_it(django_db_setup: None) -> None:
    """The control."""
    with serving(*CHATTY, CHATTY="plain") as chatty:
        written = opening(chatty)
    assert f"/a/{TOKEN}/" in written


def counted(server: Server) -> float:
    status, content = server.get("/metrics")
    assert status == 200
    return read(content)["duet_requests_total"].get(("GET", "login", "2xx"), 0)


def test_the_counts_of_all_workers_add_up_whoever_is_asked(django_db_setup: None) -> None:
    with serving() as running:
        folder = next(Path(running.log.parent).glob("duet-metrics-*"))
        for _ in range(60):
            assert running.get("/accounts/login/")[0] == 200
        assert [counted(running) for _ in range(12)] == [60] * 12
        assert len(list(folder.glob("counter_*.db"))) >= 2, "more than one worker has counted"
        running.process.terminate()
        running.process.wait(15)
        assert wait_until(lambda: not folder.exists(), seconds=2)
