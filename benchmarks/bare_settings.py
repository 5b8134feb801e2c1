"""The site's settings with one route that answers "ok"; BARE says behind how much middleware."""

import os

from config.settings import *  # noqa: F403
from config.settings import MIDDLEWARE as OF_THE_SITE

ROOT_URLCONF = "benchmarks.bare_site"
MIDDLEWARE = OF_THE_SITE if os.environ["BARE"] == "all middleware" else []
