"""Entry point of the `edge` process: cached forecasts at `/api/v1/predict` and the stream at `/ws/stream`.

uvicorn config.edge.asgi:application --http config.edge.asgi:protocol --port 8001 --no-access-log --no-proxy-headers \\
    --ws-per-message-deflate false
"""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import resolve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")
django_application = get_wsgi_application()

from accounts.plan_watch import PLAN_WATCH  # noqa: E402  # models can be imported once Django is set up
from config.edge.application import EdgeApplication  # noqa: E402
from config.edge.connection_guard import ConnectionGuard  # noqa: E402
from config.edge.parse import PREDICT_PATH  # noqa: E402
from config.observability.metrics_server import serve_metrics  # noqa: E402
from config.stream.routing import stream_application  # noqa: E402

# Loads every view now, so that the first call that Django answers need not wait for it.
resolve(PREDICT_PATH)
PLAN_WATCH.start()
serve_metrics()
edge = EdgeApplication(settings.HINDCAST_SITE.store_url, django_application)
protocol = edge.protocol
application = ConnectionGuard(stream_application(settings.HINDCAST_SITE.store_url, http=edge, services=[edge]))
# Objects of the start live as long as the process; without them a full garbage collection takes no longer than a call.
gc.collect()
gc.freeze()
