"""Heed how somebody asks to be reached, as soon as they have sent it."""

from datetime import datetime

from clients.actions import people
from clients.models import SafeContact
from clients.rules.actors import Actor
from intake.models import Response
from intake.rules import reach
from intake.rules.definition import PRIVATE_CHECK


def heed(*, response: Response, by: Actor, now: datetime) -> None:
    """Close the channels that a private check says aren't safe; what waits there isn't sent.

    It only ever closes: the link came by mail, and to open a channel takes somebody's own page.
    Part of the transaction in which the check is sent.
    """
    if response.assignment.slug != PRIVATE_CHECK:
        return
    person = response.assignment.intake.person
    shut = SafeContact.objects.filter(person=person, permission=SafeContact.Permission.NO)
    already = set(shut.values_list("channel", flat=True))
    for channel in reach.closed_channels(response.said()):
        if channel not in already:
            people.say_no(person=person, channel=SafeContact.Channel(channel), by=by, now=now)
