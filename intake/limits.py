"""How often one browser's address may ask for what; docs/limits.md says why these figures."""

from clients.limits import Limit

UNKNOWN_LINKS = Limit("unknown_links", 60, 600)
# What the API tells members: the same count as that of the hub's endpoints.
READS = Limit("reads", 600, 300)
