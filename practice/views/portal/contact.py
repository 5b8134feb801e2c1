"""How a person may be reached, and in which language and on which clock."""

from datetime import datetime, timedelta

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from clients import doors
from clients.doors import PersonRequest
from clients.models import SafeContact
from clients.queries import people
from clients.rules import access
from clients.rules.access import Opens
from practice.actions import contacts
from practice.forms import portal as forms
from practice.templatetags import duet_times
from practice.views.portal import frame

_read_or_send = require_http_methods(["GET", "HEAD", "POST"])
# What was safe then may not be safe now.
_ASK_AGAIN = timedelta(days=90)


@doors.portal
@doors.about("safe_contact")
@_read_or_send
def safe_contact(request: PersonRequest) -> HttpResponse:
    """Which ways are safe. By a link alone one can only say that one isn't, and sees nothing."""
    if access.opens(request.portal.proof, Opens.CONTACT):
        return _say(request)
    form = forms.Quiet(request.POST or None)
    if request.method == "POST" and form.is_valid():
        channel = SafeContact.Channel(form.cleaned_data["channel"])
        contacts.say_no(
            person=request.portal.person,
            channel=channel,
            by=request.actor,
            now=timezone.now(),
        )
        return frame.page(request, "quiet", {"done": True})
    status = form.status if request.method == "POST" else 200
    return frame.page(request, "quiet", {"done": False}, status=status)


def _say(request: PersonRequest) -> HttpResponse:
    now = timezone.now()
    if request.method != "POST":
        return _channels(request, None, now)
    form = forms.HowToReach(request.POST)
    if not form.is_valid():
        return _channels(request, form, now, status=form.status)
    channel = SafeContact.Channel(form.cleaned_data["channel"])
    contacts.say_safe_contact(
        person=request.portal.person,
        channel=channel,
        permission=SafeContact.Permission(form.cleaned_data["permission"]),
        quiet=form.quiet,
        voicemail=form.cleaned_data["voicemail"] if channel == SafeContact.Channel.VOICE else None,
        by=request.actor,
        now=now,
    )
    return redirect("practice:portal-safe-contact")


def _channels(
    request: PersonRequest, sent: forms.HowToReach | None, now: datetime, *, status: int = 200
) -> HttpResponse:
    rows = people.safe_contacts(request.portal.person_id)
    shown = [
        {
            "row": rows[channel],
            "form": sent
            if sent is not None and sent.data.get("channel") == channel
            else _form(channel, rows[channel]),
            "ask_again": rows[channel].asked_at < now - _ASK_AGAIN,
            "by_voice": channel == SafeContact.Channel.VOICE,
        }
        for channel in SafeContact.Channel
        if channel in rows
    ]
    return frame.page(request, "safe_contact", {"channels": shown}, status=status)


def _form(channel: str, row: SafeContact) -> forms.HowToReach:
    return forms.HowToReach(
        auto_id=f"id_{channel}_%s",
        initial={
            "channel": channel,
            "permission": row.permission,
            "quiet_from": "" if row.quiet_from is None else str(row.quiet_from),
            "quiet_until": "" if row.quiet_until is None else str(row.quiet_until),
            "voicemail": row.voicemail,
        },
    )


@doors.portal_proved
@doors.about("person")
@_read_or_send
def contact(request: PersonRequest) -> HttpResponse:
    """Language and clock. Another address or number takes the practice: see docs/portal.md."""
    person = request.portal.person
    form = forms.Contact(
        request.POST or None,
        languages=[(code, name) for code, name in settings.LANGUAGES],
        zones=_zones(person.zone),
        initial={"language": person.language, "tz": person.zone},
    )
    if request.method != "POST":
        return frame.page(request, "contact", {"form": form})
    if not form.is_valid():
        return frame.page(request, "contact", {"form": form}, status=form.status)
    contacts.change_language(
        person=person,
        language=form.cleaned_data["language"],
        zone=form.cleaned_data["tz"],
        by=request.actor,
        now=timezone.now(),
    )
    return redirect("practice:portal-contact")


def _zones(own: str) -> list[tuple[str, str]]:
    places = list(duet_times.zone_choices())
    return places if own in dict(places) else [(own, own), *places]
