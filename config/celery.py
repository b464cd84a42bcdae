"""The Celery application: queues, where tasks are found, and which task goes to which worker."""

from celery import Celery
from kombu import Queue

app = Celery("hindcast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = [Queue("work"), Queue("training")]
app.conf.task_routes = {"mlops.train_version": {"queue": "training"}}
app.autodiscover_tasks()
