"""What runs when: one line each. The schedule lives in the database, where staff may change it."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Entry:
    """A task and the New York time at which it starts; `weekdays` as cron writes them, 0 is Sunday."""

    name: str
    task: str
    hour: str
    minute: str
    weekdays: str
    description: str

    @property
    def row(self) -> dict[str, Any]:
        """When it runs, in the schedule's terms."""
        return {"crontab": _crontab(self)}


@dataclass(frozen=True, slots=True)
class Often:
    """A task that starts every few seconds; a start that a busy worker came too late for is dropped."""

    name: str
    task: str
    every_s: int
    description: str

    @property
    def row(self) -> dict[str, Any]:
        """When it runs, in the schedule's terms."""
        return {"interval": _interval(self.every_s), "expire_seconds": self.every_s}


SCHEDULE: tuple[Entry | Often, ...] = (
    Entry("after_close", "config.after_close", "16", "30", "1-5", "Ingest, score, publish and alert after the close."),
    Entry("probe_providers", "marketdata.probe_providers", "*", "*/15", "*", "See how the sources are."),
    Often("poll_quotes", "marketdata.poll_quotes", 15, "Ask for quotes of what is watched and open, where one is due."),
    Entry("ingest_news", "marketdata.ingest_news", "8,12,16", "10", "*", "Fetch and score news, before the close too."),
    Entry("weekly_retrain", "mlops.retrain", "10", "0", "6", "Train a challenger and judge it against the champion."),
    Entry("sweep_training", "mlops.sweep_training", "*", "*/10", "*", "Start trainings whose message was lost."),
    Entry("sweep_backfills", "marketdata.sweep_backfills", "*", "*/10", "*", "Go on with backfills that stopped."),
    Often("sweep_batches", "predictions.sweep_batches", 30, "Go on with batches whose worker was lost."),
    Entry("verify_ledger", "predictions.verify_ledger", "5", "20", "0", "Compute the whole record again."),
    Entry("retention", "accounts.delete_expired_rows", "4", "40", "*", "Delete requests and tokens that are old."),
    Entry("deliver_alerts", "alerts.deliver_pending", "*", "*/5", "*", "Send what an earlier attempt could not."),
)


@transaction.atomic
def install_schedule() -> list[str]:
    """Store the entries that are not there yet; returns their names. What staff changed is left as it is."""
    installed = []
    for entry in SCHEDULE:
        if PeriodicTask.objects.filter(name=entry.name).exists():
            continue
        PeriodicTask.objects.create(name=entry.name, task=entry.task, description=entry.description, **entry.row)
        installed.append(entry.name)
    return installed


def _crontab(entry: Entry) -> CrontabSchedule:
    """The schedule row for this time; staff may have made the same one twice, so the first is taken."""
    time_of_day = {"minute": entry.minute, "hour": entry.hour, "day_of_week": entry.weekdays, "timezone": NEW_YORK}
    existing = CrontabSchedule.objects.filter(day_of_month="*", month_of_year="*", **time_of_day).first()
    return existing or CrontabSchedule.objects.create(**time_of_day)


def _interval(seconds: int) -> IntervalSchedule:
    every = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**every).first() or IntervalSchedule.objects.create(**every)
