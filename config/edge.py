"""The `edge` process: the live stream at `/ws/stream` and nothing else.

uvicorn config.edge:application --port 8001 --no-access-log --ws-per-message-deflate false --ws-max-size 1048576
"""

import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
django.setup()

from config.stream.routing import stream_application  # noqa: E402  # models can be imported once Django is set up

application = stream_application(settings.HINDCAST_SITE.redis_url)
