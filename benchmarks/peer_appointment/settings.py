"""Settings of the peer's site: what django-appointment asks for, and no more.

Simplified in its favour: mail goes nowhere, there is no django-q and no CSRF middleware, and
connections to the database stay open as Duet's do.
"""

import os

SECRET_KEY = "a benchmark keeps no secrets"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "benchmarks.peer_appointment.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "phonenumber_field",
    "appointment",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PEER_NAME"],
        "USER": os.environ["PEER_USER"],
        "PASSWORD": os.environ["PEER_PASSWORD"],
        "HOST": os.environ["PEER_HOST"],
        "CONN_MAX_AGE": 60,
    }
}
# The package ships no migrations: whoever uses it makes them.
MIGRATION_MODULES = {"appointment": "peer_migrations"}
USE_TZ = True
TIME_ZONE = os.environ["PEER_ZONE"]
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
APPOINTMENT_WEBSITE_NAME = "Peer"
# It writes several lines for every request.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": True,
    "root": {"handlers": [], "level": "CRITICAL"},
}
