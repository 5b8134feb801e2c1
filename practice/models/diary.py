"""The practice, its counselors and rooms, and the hours they keep."""

import uuid

from django.contrib.postgres.fields import ArrayField, DateTimeRangeField
from django.db import models
from django.db.models import F, Q

from clients.models import Member
from intake.models import CasePolicy
from practice.models.periods import finite


class Practice(models.Model):
    """The one row that holds what the practice decided for itself."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    only = models.BooleanField(default=True, unique=True, editable=False)
    name = models.CharField(max_length=200)
    # What messages call the practice: it must reveal nothing of what the practice does.
    neutral_name = models.CharField(max_length=60)
    intro = models.TextField(blank=True)
    zone = models.CharField(max_length=64)
    language = models.CharField(max_length=10, default="en")
    # The region that reads telephone numbers without a country code (ISO 3166).
    region = models.CharField(max_length=2, default="US")
    phone = models.CharField(max_length=40, blank=True)
    # Until how long before the start an attendee may move or cancel by link.
    cutoff_minutes = models.PositiveIntegerField(default=24 * 60)
    # How long a confirmation waits, so that a misclick sends nothing.
    confirmation_delay_seconds = models.PositiveIntegerField(default=0)
    hold_minutes = models.PositiveSmallIntegerField(default=10)
    # How what one partner says alone is kept, unless a case has its own: a kind of `CasePolicy`.
    secrets_policy = models.CharField(
        max_length=10, choices=CasePolicy.Kind, default=CasePolicy.Kind.LIMITED
    )
    # Within how many hours an intake that came in is to be reviewed, and an unseen flag escalated.
    review_within_hours = models.PositiveSmallIntegerField(default=48)
    escalate_after_hours = models.PositiveSmallIntegerField(default=4)

    class Meta:
        constraints = [models.CheckConstraint(name="duet_practice_only", condition=Q(only=True))]

    def __str__(self) -> str:
        return self.name


class Room(models.Model):
    """A place in the practice that one session at a time can use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)

    def __str__(self) -> str:
        return self.name


class CounselorQuerySet(models.QuerySet["Counselor"]):
    def public(self) -> "CounselorQuerySet":
        """Counselors that can be booked."""
        return self.filter(active=True)


class Counselor(models.Model):
    """A member whose diary can be booked."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    member = models.OneToOneField(Member, on_delete=models.PROTECT, related_name="counselor")
    slug = models.SlugField(unique=True)
    zone = models.CharField(max_length=64)
    languages = ArrayField(models.CharField(max_length=10), default=list)
    about = models.TextField(blank=True)
    active = models.BooleanField(default=True)
    room = models.ForeignKey(Room, on_delete=models.SET_NULL, null=True, blank=True)
    video_url = models.URLField(blank=True)
    # Raised by every change of hours; appointments name the version they were offered under.
    hours_version = models.PositiveIntegerField(default=1)

    objects = CounselorQuerySet.as_manager()

    def __str__(self) -> str:
        return self.member.name


class WorkingHours(models.Model):
    """One weekly opening in wall-clock minutes of an IANA zone, valid on [from_on, until_on)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    counselor = models.ForeignKey(Counselor, on_delete=models.CASCADE, related_name="hours")
    weekday = models.PositiveSmallIntegerField()
    start = models.PositiveSmallIntegerField()
    end = models.PositiveSmallIntegerField()
    zone = models.CharField(max_length=64)
    from_on = models.DateField(null=True, blank=True)
    until_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_hours_within_a_day",
                condition=Q(weekday__lte=6, start__lt=F("end"), end__lte=1440),
            ),
            models.CheckConstraint(
                name="duet_hours_valid_dates",
                condition=Q(from_on__isnull=True)
                | Q(until_on__isnull=True)
                | Q(from_on__lt=F("until_on")),
            ),
        ]


class HoursException(models.Model):
    """A dated opening that replaces that date's weekly hours; without times the date is closed."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    counselor = models.ForeignKey(Counselor, on_delete=models.CASCADE, related_name="exceptions")
    on = models.DateField()
    start = models.PositiveSmallIntegerField(null=True, blank=True)
    end = models.PositiveSmallIntegerField(null=True, blank=True)
    zone = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="duet_exception_times_pair",
                condition=Q(start__isnull=True, end__isnull=True)
                | Q(start__isnull=False, end__isnull=False, start__lt=F("end"), end__lte=1440),
            ),
            models.UniqueConstraint(
                name="duet_exception_once",
                fields=["counselor", "on", "start"],
                nulls_distinct=False,
            ),
        ]


class TimeOff(models.Model):
    """A period in which one counselor, or with none named the whole practice, is away."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    counselor = models.ForeignKey(
        Counselor, on_delete=models.CASCADE, null=True, blank=True, related_name="time_off"
    )
    period = DateTimeRangeField()
    label = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [finite("timeoff", "period")]
