"""What all letters share: the name they come under, the language, the site's host."""

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from clients.channels.letter import cleaned
from practice.models import Practice
from practice.rules import neutral

reveals: Final = lru_cache(maxsize=500)(neutral.reveals)


def language(language: str, practice: Practice) -> str:
    """The person's language, or the practice's where we don't speak it."""
    for wanted in (language, practice.language):
        try:
            return translation.get_supported_language_variant(wanted)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def sender_name(practice: Practice) -> str:
    """The name that the practice goes by in messages, if it reveals nothing."""
    name = cleaned(practice.neutral_name)
    return _("Appointments") if not name or reveals(name) else name


def zone_words(zone: str) -> str:
    """A zone in words of the active language, such as "New York time"."""
    if zone == "UTC":
        return "UTC"
    return _("%(city)s time") % {"city": zone.rpartition("/")[2].replace("_", " ")}


def host() -> str:
    """The name of the site's host, out of its configured address."""
    return urlsplit(settings.DUET["BASE_URL"]).hostname or "localhost"


def tidy(text: str) -> str:
    """Blocks that are left empty leave no gap."""
    return re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"
