"""The WSGI entry point of the stand-alone site."""

import os

from django.core.wsgi import get_wsgi_application

from config.gate import refuse_to_serve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

refuse_to_serve()
application = get_wsgi_application()
