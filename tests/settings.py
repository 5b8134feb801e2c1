"""The site's settings, with what tests want otherwise: speed, and static files by plain name."""

import os

from config.settings import *  # noqa: F403
from config.settings import DATABASES, DUET, STORAGES

# Two runs on one server must not share a database; pytest-django adds each worker's name.
DATABASES["default"]["TEST"] = {"NAME": os.environ.get("TEST_DATABASE_NAME", "test_duet")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
# Hashed names would be 404 in the live server, without a word.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
# Tests ask more often than people do; those about the limits switch them on.
DUET["THROTTLE"] = False
