"""The demo practice: an invented one, made to look lived-in on the day that it is loaded."""

from practice.demo.cast import sign_ins

__all__ = ["sign_ins"]
