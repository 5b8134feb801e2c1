"""The letter that brings somebody the link to their own page. It says nothing of what is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from clients.channels.letter import Letter
from clients.models import Message, SignInLink
from practice.models import Practice
from practice.queries import letterhead


@dataclass(frozen=True, slots=True)
class _Facts:
    """All that the letter says."""

    subject: str
    link: str
    practice: str
    phone: str


class SignInLetters:
    """The subject kind `sign_in_link`. Serves one scan."""

    def __init__(self, practice: Practice) -> None:
        self._practice = practice
        self._links: dict[UUID, SignInLink] = {}

    def read(self, messages: Sequence[Message]) -> None:
        """Read the links that these messages bring."""
        links = SignInLink.objects.filter(pk__in=[message.subject_id for message in messages])
        self._links = {link.pk: link for link in links}

    def still_due(self, message: Message) -> str | None:
        """None until somebody has used the link; the letter's window ends with its ten minutes."""
        link = SignInLink.objects.filter(pk=message.subject_id, person=message.person_id).first()
        if link is None:
            return "no_link"
        return None if link.used_at is None else "link_used"

    def render(self, message: Message) -> Letter:
        """Write the letter. Refuses (LookupError) one whose link wasn't read before."""
        link = self._links[message.subject_id]
        link.person = message.person
        with translation.override(letterhead.language(message.person.language, self._practice)):
            facts = _Facts(
                subject=_("You have a message"),
                link=settings.DUET["BASE_URL"] + reverse("practice:portal-in", args=[link.token]),
                practice=letterhead.sender_name(self._practice),
                phone=self._practice.phone,
            )
            context = {"letter": facts}
            text = render_to_string("duet/practice/sign_in_email.txt", context)
            return Letter(
                to=message.person.email or "",
                sender_name=facts.practice,
                subject=facts.subject,
                text=letterhead.tidy(text),
                html=render_to_string("duet/practice/sign_in_email.html", context),
                message_id=f"{message.pk}@{letterhead.host()}",
                language=translation.get_language(),
            )
