"""The stand-alone site. Importing the Celery app here lets the web process ring the bell."""

from config.celery import app as celery_app

__all__ = ["celery_app"]
