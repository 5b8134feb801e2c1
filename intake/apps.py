"""Questionnaires, answers and the review queue."""

from django.apps import AppConfig


class IntakeConfig(AppConfig):
    name = "intake"
    label = "duet_intake"
    verbose_name = "Duet intake"
