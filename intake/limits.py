"""How often one browser's address may try links that nobody has; docs/limits.md says why."""

from clients.limits import Limit

UNKNOWN_LINKS = Limit("unknown_links", 60, 600)
