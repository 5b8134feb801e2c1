"""The desk says in words why a message is in its state."""

import pytest

from practice.templatetags import duet_desk


def test_a_refusal_names_the_answer_of_the_mail_server() -> None:
    assert "550" in duet_desk.reason_words("smtp_550")
    assert "553" in duet_desk.reason_words("smtp_553_sender")


def test_what_went_well_needs_no_reason() -> None:
    assert duet_desk.reason_words("smtp_250") == ""
    assert duet_desk.reason_words("") == ""


def test_a_shut_gate_is_called_what_the_desk_calls_it() -> None:
    assert duet_desk.reason_words("gate_said_unsafe") == duet_desk.gate_words("said_unsafe")


@pytest.mark.parametrize(
    "code",
    [
        "window_passed",
        "answer_lost",
        "sender_died",
        "safe_contact_no",
        "no_address",
        "address_bounced",
        "not_writable",
        "no_channel",
        "too_many",
        "unreachable",
        "rule_changed",
    ],
)
def test_a_code_never_reaches_the_page(code: str) -> None:
    assert "_" not in duet_desk.reason_words(code)
