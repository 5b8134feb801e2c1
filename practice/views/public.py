"""The first page, and the open times."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from clients import doors
from clients.forms import fields
from clients.rules.access import token_hash
from practice.forms.booking import COUPLE, ONE
from practice.models import Counselor, Practice, Service
from practice.queries import offers, pages
from practice.rules import wall
from practice.templatetags import duet_services, duet_times
from practice.views import times, visit

HOME_TIMES = 3


@doors.public
@doors.about("service")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The question people come with, and the way to a time."""
    now = timezone.now()
    practice = pages.practice()
    service = pages.first_service()
    context: dict[str, object] = {"practice": practice}
    if practice and service:
        found = offers.next_times(
            service=service, counselor=None, after=now, now=now, most=HOME_TIMES
        )
        context |= {
            "service": {
                "slug": service.slug,
                "name": service.name,
                "minutes": service.minutes,
                "price": duet_services.price(service),
            },
            "next_times": [_home_time(service, one.start, practice.zone) for one in found],
        }
    return render(request, "duet/practice/home.html", context)


def _home_time(service: Service, start: datetime, zone: str) -> dict[str, str]:
    label = f"{duet_times.in_zone(start, zone)}, {duet_times.zone_words(zone)}"
    on = duet_times.local(start, zone).date().isoformat()
    return {
        "label": label,
        "long_label": f"{label}, {duet_times.day_in(start, zone)}",
        "url": book_url(service=service.slug, **{"from": on}),
    }


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page of times is about: taken from the address or from a form, and checked."""

    bookable: pages.Bookable
    counselor: Counselor | None
    who: str
    zone: str
    from_on: str = ""

    @property
    def kept(self) -> dict[str, str]:
        """What every link and form of the page keeps, by its name in the address."""
        return {
            "service": self.bookable.service.slug,
            "counselor": self.counselor.slug if self.counselor else "",
            "who": self.who,
            "tz": self.zone,
        }


def book_url(**query: str) -> str:
    """The page of times for a choice; what is empty is left out."""
    filled = {name: value for name, value in query.items() if value}
    return reverse("practice:book") + (f"?{urlencode(filled)}" if filled else "")


def zone_of(request: HttpRequest, asked: str, practice: Practice | None) -> str:
    """The zone to show times in: the one asked for, the one chosen before, the practice's own."""
    for name in (asked, visit.zone(request.session), practice.zone if practice else ""):
        try:
            return wall.canonical_zone(name)
        except wall.UnknownZone:
            continue
    return "UTC"


@doors.visitor
@doors.about("service")
@require_safe
def book(request: HttpRequest) -> HttpResponse:
    """What can be booked; with a service chosen, when."""
    now = timezone.now()
    query = request.GET
    practice = pages.practice()
    slug = query.get("service", "")
    found = pages.bookable(slug) if fields.SLUG.fullmatch(slug) else None
    if practice is None or found is None:
        return choose(request, practice, unknown="service" in query)
    asked = Asked(
        bookable=found,
        counselor=found.counselor(query.get("counselor", "")),
        who=who_for(found.service, query.get("who", "")),
        zone=zone_of(request, query.get("tz", ""), practice),
        from_on=query.get("from", ""),
    )
    return times_page(request, practice, asked, now)


def who_for(service: Service, asked: str) -> str:
    """Who comes, as far as it is settled; empty where it will be asked."""
    if service.attendees == Service.Attendees.ONE:
        return ONE
    return asked if asked in (ONE, COUPLE) else ""


def choose(
    request: HttpRequest, practice: Practice | None, *, unknown: bool = False, status: int = 200
) -> HttpResponse:
    """The first step: which service, who comes, with whom."""
    found = pages.all_bookable()
    counselors = {one.slug: one for each in found for one in each.counselors}
    context = {
        "practice": practice,
        "bookable": found,
        "counselors": sorted(counselors.values(), key=lambda one: one.slug),
        "chosen_counselor": request.GET.get("counselor", ""),
        "who": request.GET.get("who", ""),
        "zone": request.GET.get("tz", ""),
        "asks_who": any(one.service.attendees != Service.Attendees.ONE for one in found),
        "unknown": unknown,
    }
    return render(request, "duet/practice/choose.html", context, status=status)


def times_page(
    request: HttpRequest,
    practice: Practice,
    asked: Asked,
    now: datetime,
    *,
    notice: str = "",
    status: int = 200,
) -> HttpResponse:
    """The open times of seven days; with htmx the list alone, to be put in place of the old one."""
    kept = visit.hold(request.session)
    hold_hash = token_hash(kept.token) if kept else None
    held = pages.held(hold_hash, now) if hold_hash else None
    service = asked.bookable.service
    shown = times.window(
        asked=fields.a_date(asked.from_on),
        zone=asked.zone,
        horizon_days=service.horizon_days,
        now=now,
    )
    found = offers.open_times(
        service=service,
        counselor=asked.counselor,
        from_on=shown.from_on,
        to_on=shown.to_on,
        zone=asked.zone,
        now=now,
        hold_hash=hold_hash if held else None,
    )
    context = {
        "practice": practice,
        "service": service,
        "counselors": asked.bookable.counselors,
        "counselor": asked.counselor,
        "who": asked.who,
        "change_url": book_url(**(asked.kept | {"service": ""})),
        "kept": list(asked.kept.items()),
        "zone": asked.zone,
        "zone_label": duet_times.zone_words(asked.zone),
        "zones": [{"value": name, "label": label} for name, label in duet_times.zone_choices()],
        "zone_fields": [
            *((name, value) for name, value in asked.kept.items() if name != "tz"),
            ("from", shown.from_on.isoformat()),
        ],
        "counselor_fields": [
            *((name, value) for name, value in asked.kept.items() if name != "counselor"),
            ("from", shown.from_on.isoformat()),
        ],
        "days": times.by_day(found, asked.zone),
        "from_date": shown.from_on,
        "min_date": shown.first_on,
        "max_date": shown.last_on,
        "earlier_url": _page_url(asked, shown.earlier),
        "later_url": _page_url(asked, shown.later),
        "held": held,
        "notice": notice,
    }
    if not found:
        context |= _next_one(asked, shown, now)
    partial = request.headers.get("HX-Request") == "true" and status == 200
    template = "_times.html" if partial else "book.html"
    response = render(request, f"duet/practice/{template}", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _page_url(asked: Asked, on: object) -> str:
    return book_url(**asked.kept, **{"from": str(on)}) if on else ""


def _next_one(asked: Asked, shown: times.Window, now: datetime) -> dict[str, object]:
    """Where nothing is open in these days: when the next time is, and the way to it."""
    after = wall.instant(wall.first_minute(shown.to_on, 0, asked.zone))
    found = offers.next_times(
        service=asked.bookable.service, counselor=asked.counselor, after=after, now=now, most=1
    )
    if not found:
        return {}
    start = found[0].start
    on = duet_times.local(start, asked.zone).date()
    return {
        "next_start": start,
        "next_url": _page_url(asked, on),
    }
