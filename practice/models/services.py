"""What can be booked, what is asked and agreed before it, and when people are reminded."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from clients.models import SafeContact
from practice.models.diary import Counselor


class ServiceQuerySet(models.QuerySet["Service"]):
    def public(self) -> "ServiceQuerySet":
        """Services that a visitor can book."""
        return self.filter(active=True, hidden=False)


class Service(models.Model):
    """What can be booked. All lengths are in minutes."""

    class Attendees(models.TextChoices):
        ONE = "one"
        COUPLE = "couple"
        EITHER = "either"

    class Place(models.TextChoices):
        ADDRESS = "address"
        PHONE = "phone"
        VIDEO = "video"

    class Booking(models.TextChoices):
        INSTANT = "instant"
        REQUEST = "request"

    class InviteGate(models.TextChoices):
        SAID_SAFE = "said_safe"
        PRIVATE_CHECK = "private_check"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    about = models.TextField(blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    minutes = models.PositiveSmallIntegerField()
    step = models.PositiveSmallIntegerField(default=30)
    buffer_before = models.PositiveSmallIntegerField(default=0)
    buffer_after = models.PositiveSmallIntegerField(default=0)
    notice = models.PositiveIntegerField(default=240)
    horizon_days = models.PositiveSmallIntegerField(default=60)
    attendees = models.CharField(max_length=6, choices=Attendees, default=Attendees.EITHER)
    place = models.CharField(max_length=7, choices=Place, default=Place.ADDRESS)
    place_text = models.CharField(max_length=300, blank=True)
    booking = models.CharField(max_length=7, choices=Booking, default=Booking.INSTANT)
    invite_gate = models.CharField(
        max_length=13, choices=InviteGate, default=InviteGate.PRIVATE_CHECK
    )
    price_cents = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3, default="USD")
    hidden = models.BooleanField(default=False)
    active = models.BooleanField(default=True)
    counselors: "models.ManyToManyField[Counselor, Offer]" = models.ManyToManyField(
        Counselor, through="Offer", related_name="services"
    )

    objects = ServiceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_service_lengths",
                condition=Q(minutes__gte=5, minutes__lte=480, step__gte=5, step__lte=480)
                & Q(buffer_before__lte=240, buffer_after__lte=240)
                & Q(horizon_days__gte=1, horizon_days__lte=400),
            )
        ]

    def __str__(self) -> str:
        return self.name


class Offer(models.Model):
    """A counselor offers a service."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="offers")
    counselor = models.ForeignKey(Counselor, on_delete=models.CASCADE, related_name="offers")

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_offer_once", fields=["service", "counselor"])
        ]


class Question(models.Model):
    """A question before booking. With `choices` one of them is picked, else text is written."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="questions")
    slug = models.SlugField()
    label = models.CharField(max_length=300)
    choices = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    required = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="duet_question_once", fields=["service", "slug"])
        ]


class Consent(models.Model):
    """One version of a text that is agreed to before booking. A new wording is a new version."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="consents")
    slug = models.SlugField()
    version = models.PositiveSmallIntegerField()
    text = models.TextField()
    required = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=0)
    published_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_consent_once", fields=["service", "slug", "version"]
            ),
            models.UniqueConstraint(
                name="duet_consent_one_in_force",
                fields=["service", "slug"],
                condition=Q(withdrawn_at__isnull=True),
            ),
        ]


class ReminderRule(models.Model):
    """Remind every attendee so many minutes before; with no service named, of any service."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(
        Service, on_delete=models.CASCADE, null=True, blank=True, related_name="reminder_rules"
    )
    minutes_before = models.PositiveIntegerField()
    channel = models.CharField(
        max_length=5, choices=SafeContact.Channel, default=SafeContact.Channel.EMAIL
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_reminderrule_once",
                fields=["service", "minutes_before", "channel"],
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="duet_reminderrule_ahead",
                condition=Q(minutes_before__gte=15, minutes_before__lte=30 * 24 * 60),
            ),
        ]


class FormRule(models.Model):
    """A form that comes with a service: once before the first session, or again on a rhythm.

    With no service named, of any service. `slug` names an instrument; the version published at
    the time is what is given.
    """

    class Who(models.TextChoices):
        EACH = "each"
        BOOKER = "booker"

    class When(models.TextChoices):
        BEFORE_FIRST = "before_first"
        EVERY_WEEKS = "every_weeks"
        EVERY_SECOND = "every_second"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    service = models.ForeignKey(
        Service, on_delete=models.CASCADE, null=True, blank=True, related_name="form_rules"
    )
    slug = models.SlugField(max_length=60)
    who = models.CharField(max_length=6, choices=Who, default=Who.EACH)
    when = models.CharField(max_length=12, choices=When, default=When.BEFORE_FIRST)
    weeks = models.PositiveSmallIntegerField(null=True, blank=True)
    short = models.BooleanField(default=False)
    due_hours_before = models.PositiveSmallIntegerField(default=24)
    position = models.PositiveSmallIntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="duet_formrule_once",
                fields=["service", "slug", "when"],
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="duet_formrule_weeks",
                condition=Q(when="every_weeks", weeks__isnull=False, weeks__gte=1, weeks__lte=52)
                | ~Q(when="every_weeks") & Q(weeks__isnull=True),
            ),
        ]
