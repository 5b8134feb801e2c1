"""The stand-alone site as an app: its commands, its mailbox, its templates."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "config"
    label = "duet_site"
    verbose_name = "Duet site"
