"""The channels there are. A new one is a file beside this and one line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from clients.channels.email import EmailChannel
from clients.channels.letter import Channel

CHANNELS: Final[Mapping[str, Callable[[], Channel]]] = MappingProxyType({"email": EmailChannel})
