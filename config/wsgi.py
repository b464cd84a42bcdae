"""WSGI application of `web`: pages, REST API and admin."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
application = get_wsgi_application()

from accounts.plan_watch import PLAN_WATCH  # noqa: E402  # models can be imported once Django is set up

PLAN_WATCH.start()
