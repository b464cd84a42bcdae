"""A queue of the real broker per test, to read the messages sent."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty
from typing import Any

from celery import Celery, current_app
from django.conf import settings
from kombu import Connection


class Sent:
    """Reader of one queue of the broker."""

    def __init__(self, queue: str) -> None:
        self.queue = queue

    def messages(self) -> list[tuple[str, list[Any]]]:
        """Return task name and arguments of each waiting message, in order."""
        taken = []
        with Connection(settings.CELERY_BROKER_URL) as connection:
            queue = connection.SimpleQueue(self.queue)
            with suppress(Empty):
                while message := queue.get(block=False):
                    message.ack()
                    taken.append((message.headers["task"], message.payload[0]))
            queue.close()
        return taken


@contextmanager
def celery_application(broker: str, queue: str) -> Iterator[None]:
    """Make a Celery application of this test the current one."""
    previous = current_app._get_current_object()
    own = Celery(queue, broker=broker, set_as_current=True)
    own.conf.update(task_default_queue=queue, task_publish_retry=False)
    yield
    own.close()
    previous.set_current()
