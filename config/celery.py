"""The Celery application: queues, where tasks are found, which task goes to which worker, and one log line a task.

`config.apps` imports this module in every process, so it is also where logging and error reports start.
"""

import time
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_postrun, task_prerun, worker_init
from django.conf import settings
from kombu.entity import Queue

from config.observability.telemetry import start_telemetry
from mlops.forecasting.features import warm_up

log = structlog.get_logger("hindcast.task")

WORK = "work"
TRAINING = "training"
LONGEST_TASK_S = 4 * 3600
TRAINING_TASKS = ("mlops.train_version", "mlops.retrain")


def configure(celery: Celery, broker_url: str) -> None:
    """Give `celery` its queues on this broker: quorum queues on RabbitMQ, plain ones on Redis."""
    on_rabbitmq = broker_url.startswith(("amqp://", "amqps://"))
    arguments = {"x-queue-type": "quorum"} if on_rabbitmq else None
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
        # Redis gives a task that is not acknowledged in this time to another worker, so it exceeds the longest task;
        # RabbitMQ confirms what it has stored.
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


def keep_logging(**_: Any) -> None:
    """Being connected keeps Celery from setting up logging of its own; ours is in place already."""


def warm_numerics(**_: Any) -> None:
    """Have the kernels of the features compiled before the first task; the next worker finds them on disk."""
    warm_up()


def bind_task(task_id: str, task: Any, **_: Any) -> None:
    """Name the task in every line that it writes."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    _started[task_id] = time.perf_counter()


def write_task_line(task_id: str, state: str | None = None, **_: Any) -> None:
    """Sum a task up in one line."""
    seconds = time.perf_counter() - _started.pop(task_id, time.perf_counter())
    log.info("task", state=state, duration_ms=round(seconds * 1000, 2))
    structlog.contextvars.clear_contextvars()


setup_logging.connect(keep_logging)
worker_init.connect(warm_numerics)
task_prerun.connect(bind_task)
task_postrun.connect(write_task_line)
