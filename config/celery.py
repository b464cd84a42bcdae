"""Celery application: queues, routes, task discovery and one log line per task.

`config.apps` imports this module in every process, so it also starts logging and error reporting.
"""

import threading
import time
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_ready, worker_shutting_down
from django.conf import settings
from kombu.entity import Queue

from config.observability.metrics_server import serve_metrics
from config.observability.telemetry import start_telemetry
from mlops.forecasting.features import warm_up
from mlops.interruption import stop_trainings

log = structlog.get_logger("hindcast.task")

WORK = "work"
TRAINING = "training"
LONGEST_TASK_S = 4 * 3600
TRAINING_TASKS = ("mlops.train_version", "mlops.retrain")


def configure(celery: Celery, broker_url: str) -> None:
    """Configure queues and routes: quorum queues on RabbitMQ, classic ones on Redis."""
    on_rabbitmq = broker_url.startswith(("amqp://", "amqps://"))
    # RabbitMQ closes a consumer that does not acknowledge in time; a training is acknowledged at its end.
    arguments = {"x-queue-type": "quorum", "x-consumer-timeout": LONGEST_TASK_S * 1000} if on_rabbitmq else None
    celery.conf.update(
        task_queues=[Queue(name, routing_key=name, queue_arguments=arguments) for name in (WORK, TRAINING)],
        task_default_queue=WORK,
        task_default_routing_key=WORK,
        task_default_queue_type="quorum" if on_rabbitmq else "classic",
        task_create_missing_queues=False,
        task_routes={name: {"queue": TRAINING, "routing_key": TRAINING} for name in TRAINING_TASKS},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_detect_quorum_queues=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5},
        # Redis redelivers a task not acknowledged within the visibility timeout, so it exceeds the longest task.
        broker_transport_options=(
            {"confirm_publish": True} if on_rabbitmq else {"visibility_timeout": LONGEST_TASK_S, "socket_timeout": 30}
        ),
    )


app = Celery("hindcast")
app.config_from_object("django.conf:settings", namespace="CELERY")
configure(app, settings.CELERY_BROKER_URL)
app.autodiscover_tasks()
start_telemetry()

_started: dict[str, float] = {}


def skip_celery_logging(**_: Any) -> None:
    """Stop Celery from configuring logging; a connected receiver is enough."""


def warm_numerics(**_: Any) -> None:
    """Compile the feature kernels in the background; they are cached on disk.

    A first compilation takes up to a minute, in which the worker must still obey SIGTERM.
    """
    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()


def bind_task(task_id: str, task: Any, **_: Any) -> None:
    """Add the task to the log context."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    _started[task_id] = time.perf_counter()


def write_task_line(task_id: str, state: str | None = None, **_: Any) -> None:
    """Write one log line per finished task."""
    seconds = time.perf_counter() - _started.pop(task_id, time.perf_counter())
    log.info("task", state=state, duration_ms=round(seconds * 1000, 2))
    structlog.contextvars.clear_contextvars()


setup_logging.connect(skip_celery_logging)
worker_ready.connect(warm_numerics)
worker_ready.connect(serve_metrics)
worker_shutting_down.connect(stop_trainings)
task_prerun.connect(bind_task)
task_postrun.connect(write_task_line)
