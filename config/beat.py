"""Schedule of background tasks. It is stored in the database, where staff may change it."""

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class CronEntry:
    """A task and its New York start time; `weekdays` in cron notation, 0 is Sunday."""

    name: str
    task: str
    hour: str
    minute: str
    weekdays: str
    description: str

    @property
    def row(self) -> dict[str, Any]:
        """Fields of the PeriodicTask row."""
        return {"crontab": _crontab(self)}


@dataclass(frozen=True, slots=True)
class IntervalEntry:
    """A task that starts every few seconds; a start that is late by one interval is dropped."""

    name: str
    task: str
    every_s: int
    description: str

    @property
    def row(self) -> dict[str, Any]:
        """Fields of the PeriodicTask row."""
        return {"interval": _interval(self.every_s), "expire_seconds": self.every_s}


SCHEDULE: tuple[CronEntry | IntervalEntry, ...] = (
    CronEntry(
        "after_close", "config.after_close", "16", "30", "1-5", "Ingest, score, publish and alert after the close."
    ),
    CronEntry("probe_providers", "marketdata.probe_providers", "*", "*/15", "*", "Check the data sources."),
    IntervalEntry(
        "poll_quotes", "marketdata.poll_quotes", 15, "Fetch live quotes for watched stocks while the exchange is open."
    ),
    CronEntry(
        "ingest_news", "marketdata.ingest_news", "8,12,16", "10", "*", "Fetch and score news, before the close too."
    ),
    CronEntry(
        "weekly_retrain", "mlops.retrain", "10", "0", "6", "Train a challenger and compare it with the champion."
    ),
    IntervalEntry("sweep_training", "mlops.sweep_training", 60, "Start trainings whose message or worker was lost."),
    CronEntry("sweep_backfills", "marketdata.sweep_backfills", "*", "*/10", "*", "Resume interrupted backfills."),
    IntervalEntry("sweep_batches", "predictions.sweep_batches", 30, "Resume batches of lost workers."),
    CronEntry("verify_ledger", "predictions.verify_ledger", "5", "20", "0", "Verify the whole ledger."),
    CronEntry("publish_heads", "predictions.publish_heads", "*", "*/10", "*", "Publish ledger heads to witnesses."),
    CronEntry("retention", "accounts.delete_expired_rows", "4", "40", "*", "Delete expired requests and tokens."),
    CronEntry("deliver_alerts", "alerts.deliver_pending", "*", "*/5", "*", "Retry failed e-mails."),
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


def _crontab(entry: CronEntry) -> CrontabSchedule:
    """The schedule row for this time; staff may have made the same one twice, so the first is taken."""
    time_of_day = {"minute": entry.minute, "hour": entry.hour, "day_of_week": entry.weekdays, "timezone": NEW_YORK}
    existing = CrontabSchedule.objects.filter(day_of_month="*", month_of_year="*", **time_of_day).first()
    return existing or CrontabSchedule.objects.create(**time_of_day)


def _interval(seconds: int) -> IntervalSchedule:
    every = {"every": seconds, "period": IntervalSchedule.SECONDS}
    return IntervalSchedule.objects.filter(**every).first() or IntervalSchedule.objects.create(**every)
