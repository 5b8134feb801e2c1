"""The stand-alone site as an app: its commands, its mailbox, its templates."""

from django.apps import AppConfig
from django.utils.module_loading import import_string


class SiteConfig(AppConfig):
    name = "config"
    label = "duet_site"
    verbose_name = "Duet site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Listen to sign-ins. By name: models can be imported only now."""
        import_string("config.accounts.trail.connect")()
