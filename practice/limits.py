"""How often one browser's address may ask for what; docs/limits.md says why these figures.

The pages and the API share these counts. No limit stands before an attendee's own page: whoever
has the link can always confirm, move and cancel.
"""

from clients.limits import Limit

# Presses of a time's button, whether or not it is still free.
HOLDS = Limit("holds", 120, 600)
# Times that one address may hold at once, each for as long as a hold lasts (`open_holds`).
_OPEN_HOLDS = 2
# Forms without a mistake in them, each of which would book.
BOOKINGS = Limit("bookings", 30, 3600)
# What the API tells anybody: a widget asks a few times for each visitor.
READS = Limit("reads", 600, 300)
# Calls of the API that ask for a booking, with mistakes in them or sent again.
BOOKING_TRIES = Limit("booking_tries", 300, 3600)
# Changes of what the practice offers, by a member and a program of theirs.
WRITES = Limit("writes", 120, 300)
# Links that nobody has: 128 bits can't be guessed, and this keeps the guessing cheap for us.
UNKNOWN_LINKS = Limit("unknown_links", 60, 600)

# Asking for the link to one's own page: each may bring a letter. The answer never tells which.
LINKS_BY_BROWSER = Limit("sign_in_links", 20, 900)
LINKS_BY_ADDRESS = Limit("sign_in_links_to", 6, 900)
# A code or a PIN costs a slow hash each; the tries that count are those in the database.
PROOFS = Limit("portal_proofs", 30, 900)


def open_holds(hold_minutes: int) -> Limit:
    """The places for held times; a place lasts as long as its hold."""
    return Limit("open_holds", _OPEN_HOLDS, hold_minutes * 60)
