"""Everything in one ASGI process, pages and stream; `wsgi` and `edge` are the faster pair."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
pages = get_asgi_application()

from accounts.plan_watch import PLAN_WATCH  # noqa: E402  # models can be imported once Django is set up
from config.stream.routing import stream_application  # noqa: E402

PLAN_WATCH.start()
application = stream_application(settings.HINDCAST_SITE.redis_url, http=pages)
