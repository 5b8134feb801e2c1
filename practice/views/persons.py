"""Who comes, out of a form that was found in order."""

from typing import Any

from clients.actions import people
from practice.actions import booking
from practice.forms.booking import COUPLE, ONE, YES


def wanted(cleaned: dict[str, Any]) -> booking.Request:
    """The one who books, and with `who` a couple the partner; what is empty is left out.

    The partner is written to in their own language and zone, or as the booker where none is said.
    """
    booker = people.NewPerson(
        cleaned["name"],
        cleaned["email"] or None,
        cleaned["phone"] or None,
        cleaned["language"],
        cleaned["tz"],
    )
    partner = None
    if cleaned.get("who", ONE) == COUPLE:
        partner = people.NewPerson(
            cleaned["partner_name"],
            cleaned["partner_email"] or None,
            cleaned["partner_phone"] or None,
            cleaned["partner_language"] or booker.language,
            cleaned["partner_tz"] or booker.zone,
        )
    return booking.Request(
        booker=booker,
        partner=partner,
        partner_safe_to_invite=cleaned.get("partner_safe") == YES,
        partner_asked_in_person=bool(cleaned.get("asked_in_person")),
    )
