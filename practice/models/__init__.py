"""The diary: who offers what and when, and who comes."""

from practice.models.appointments import (
    NO_OVERLAP,
    NO_ROOM_OVERLAP,
    Answer,
    Appointment,
    Attendance,
    BookedOnce,
    ConsentGiven,
)
from practice.models.diary import (
    Counselor,
    HoursException,
    Practice,
    Room,
    TimeOff,
    WorkingHours,
)
from practice.models.services import Consent, FormRule, Offer, Question, ReminderRule, Service

__all__ = [
    "NO_OVERLAP",
    "NO_ROOM_OVERLAP",
    "Answer",
    "Appointment",
    "Attendance",
    "BookedOnce",
    "Consent",
    "ConsentGiven",
    "Counselor",
    "FormRule",
    "HoursException",
    "Offer",
    "Practice",
    "Question",
    "ReminderRule",
    "Room",
    "Service",
    "TimeOff",
    "WorkingHours",
]
