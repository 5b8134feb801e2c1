"""The letter that tells a member that something waits on their desk, and nothing of what."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from clients.channels.letter import Letter
from clients.models import Member
from practice.models import Practice
from practice.queries import letterhead


@dataclass(frozen=True, slots=True)
class _Facts:
    """All that the letter says."""

    subject: str
    link: str
    practice: str
    phone: str


def letter(member: Member, to: str, notice_id: UUID) -> Letter:
    """One letter, the same for every notice; a member has no language of their own yet.

    Refuses (LetterRefused) an address with a control character.
    """
    practice = Practice.objects.get()
    with translation.override(letterhead.language(practice.language, practice)):
        facts = _Facts(
            subject=_("You have a message"),
            link=settings.DUET["BASE_URL"] + reverse("practice:desk"),
            practice=letterhead.sender_name(practice),
            phone=practice.phone,
        )
        context = {"letter": facts}
        return Letter(
            to=to,
            sender_name=facts.practice,
            subject=facts.subject,
            text=letterhead.tidy(render_to_string("duet/practice/notice_email.txt", context)),
            html=render_to_string("duet/practice/notice_email.html", context),
            message_id=f"{notice_id}.{member.pk}@{letterhead.host()}",
            language=translation.get_language(),
        )
