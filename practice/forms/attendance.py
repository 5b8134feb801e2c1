"""What an attendee sends from their own page."""

from django.utils.translation import gettext_lazy as _

from clients.forms import fields

REASON_LIMIT = 1_000


class Own(fields.Strict):
    """Without the token in the address a form says whose page it was on; the view asks that."""

    besides = frozenset({"own"})


class Confirm(Own):
    """Nothing but the button."""


class Move(Own):
    """A time out of the list."""

    start = fields.Instant()


class Cancel(Own):
    """The button, and a word to the practice if one likes."""

    reason = fields.text_field(
        limit=REASON_LIMIT,
        rows=3,
        required=False,
        label=_("Is there something you would like us to know?"),
        help_text=_("Only the practice reads this."),
    )
