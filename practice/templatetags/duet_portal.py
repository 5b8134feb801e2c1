"""Channels, roles and requests in the words of a person's own pages."""

from django import template
from django.utils.translation import gettext as _

from clients.rules import requests

register = template.Library()


@register.filter
def channel_words(channel: str) -> str:
    """A way to be reached, in words."""
    return {
        "email": _("By e-mail"),
        "sms": _("By text message"),
        "voice": _("By telephone"),
    }.get(channel, channel)


@register.filter
def role_words(role: str) -> str:
    """What somebody of the practice is to the one who reads."""
    return {
        "own_counselor": _("your counselor"),
        "counselor": _("a counselor of the practice"),
        "supervisor": _("a supervisor"),
        "reviewer": _("who reviews what comes in"),
        "front_desk": _("the front desk"),
        "admin": _("who runs the practice"),
    }.get(role, _("the practice"))


@register.filter
def look_words(kind: str) -> str:
    """What they did, as far as it can be said in a few words."""
    return {
        "gave_code": _("gave you a code"),
        "looked": _("looked at it"),
        "copied": _("made a copy"),
    }.get(kind, _("changed something"))


@register.filter
def request_words(kind: str) -> str:
    """What a person asks about their record, in words."""
    return {"copy": _("A copy"), "erasure": _("Erasure")}.get(kind, kind)


@register.filter
def request_answer_words(answer: str) -> str:
    """What became of a request, as the one who asked is told."""
    return {
        requests.HANDED_OVER: _("handed over to you"),
        requests.ERASED: _("your record is erased"),
        requests.KEPT_BY_LAW: _(
            "not erased yet: the law asks us to keep it. Ask us which part, why and until when"
        ),
        requests.WITHDRAWN: _("taken back by you"),
        requests.NOT_THEIR_RECORD: _("not done: it wasn't asked by you, or isn't your record"),
    }.get(answer, _("answered: please ask us"))
