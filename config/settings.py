"""Settings of the stand-alone site (skeleton; H-run makes it complete)."""

import os
from pathlib import Path
from typing import Any

import dj_database_url

BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = os.environ.get("DUET_SECRET_KEY", "skeleton")
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_htmx",
    "clients",
    "intake",
    "practice",
]
DATABASES = {"default": dj_database_url.parse(os.environ.get("DATABASE_URL", "postgresql://x@/x"))}
ROOT_URLCONF = "config.urls"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGES = [("en", "English"), ("es", "Español")]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DUET: dict[str, Any] = {"MODE": "demo", "BASE_URL": "http://localhost:8000", "NOTES_KEYS": os.environ.get("DUET_NOTES_KEY", "")}
