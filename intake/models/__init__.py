"""Instruments, what is given to whom, what they answered, and what was decided on it."""

from intake.models.crisis import CrisisLine
from intake.models.instruments import Instrument
from intake.models.intakes import Agreement, Assignment, CasePolicy, Intake, Response
from intake.models.release import Release
from intake.models.review import Review, ReviewStep
from intake.models.safety import Flag

__all__ = [
    "Agreement",
    "Assignment",
    "CasePolicy",
    "CrisisLine",
    "Flag",
    "Instrument",
    "Intake",
    "Release",
    "Response",
    "Review",
    "ReviewStep",
]
