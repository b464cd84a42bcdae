"""The `edge` process: the live stream at `/ws/stream`, plain calls of `GET /api/v1/predict`, and nothing else.

uvicorn config.edge.asgi:application --http config.edge.asgi:protocol --port 8001 --no-access-log --no-proxy-headers \\
    --ws-per-message-deflate false
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
django_application = get_wsgi_application()

from accounts.plan_watch import PLAN_WATCH  # noqa: E402  # models can be imported once Django is set up
from config.edge.application import EdgeHttp  # noqa: E402
from config.edge.asking import READ_PATH  # noqa: E402
from config.stream.routing import stream_application  # noqa: E402

# Loads every view, so that the first call that is not plain need not wait for that.
resolve(READ_PATH)
PLAN_WATCH.start()
reads = EdgeHttp(settings.HINDCAST_SITE.redis_url, django_application)
protocol = reads.protocol
application = stream_application(settings.HINDCAST_SITE.redis_url, http=reads, services=[reads])
