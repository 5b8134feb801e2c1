"""The hub: diary, booking, public pages and the desk."""

from django.apps import AppConfig


class PracticeConfig(AppConfig):
    name = "practice"
    label = "duet_practice"
    verbose_name = "Duet practice"
