"""Whether a partner may be written to about an appointment, and if not, why."""

from typing import Final

SAID_SAFE: Final = "said_safe"
PRIVATE_CHECK: Final = "private_check"

OPEN: Final = "open"
SAID_UNSAFE: Final = "said_unsafe"
SHARED_ADDRESS: Final = "shared_address"
NO_CONTACT: Final = "no_contact"


def partner_gate(
    *,
    invite_gate: str,
    said_safe: bool,
    has_contact: bool,
    same_address_as_booker: bool,
    asked_in_person: bool,
    checks_done: bool,
    held: bool = False,
) -> str:
    """The gate of the partner's invitation: `open`, or the first of these that holds it shut.

    1. `said_unsafe`: the booker did not say that writing is safe. Only a clinician who asked in
       person overrides that.
    2. `shared_address`: both gave one address, where each would read the other's mail. Asking in
       person does not change who reads it; another address does.
    3. `private_check`: the service waits for both private checks or a clinician who asked. So
       does every service while the couple is `held` by a safety flag, and then for nothing else
       than its end: neither checks nor asking in person open it.
    4. `no_contact`: nothing to write to. Last, so that giving a contact can't hide a reason above.

    Take it anew whenever one of its inputs changes. Refuses an unknown `invite_gate`.
    """
    if invite_gate not in (SAID_SAFE, PRIVATE_CHECK):
        raise ValueError(f"Unknown invitation gate of a service: {invite_gate!r}.")
    if not said_safe and not asked_in_person:
        return SAID_UNSAFE
    if has_contact and same_address_as_booker:
        return SHARED_ADDRESS
    if held or (invite_gate == PRIVATE_CHECK and not checks_done and not asked_in_person):
        return PRIVATE_CHECK
    if not has_contact:
        return NO_CONTACT
    return OPEN


def may_be_asked(state: str) -> bool:
    """Whether somebody with this gate may get an own link to what they alone are to fill in.

    The one who booked said that writing to them is safe, and there is an address of their own: it
    is only the appointment together that still waits.
    """
    return state in (OPEN, PRIVATE_CHECK)
