"""A question about many stocks, answered piece by piece by whichever workers are free."""

import uuid
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

LONGEST_WORD = 64


class BatchJob(models.Model):
    """A batch request: its owner, horizon and number of symbols answered with a forecast or a problem.

    The key is random, so that nobody finds other people's jobs by counting.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        RUNNING = "running"
        DONE = "done"
        CANCELLED = "cancelled"

    OPEN = (State.WAITING, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batch_jobs")
    horizon_sessions = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField("symbols asked for")
    done = models.PositiveIntegerField("symbols answered", default=0)
    problems = models.PositiveIntegerField("symbols without a forecast", default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [models.Index(fields=["created_at"], name="batch_job_by_age")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(problems__lte=F("done"), done__lte=F("total")), name="batch_job_counts"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "running"], finished_at__isnull=True)
                | Q(state="cancelled", finished_at__isnull=False)
                | Q(state="done", finished_at__isnull=False, done=F("total")),
                name="batch_job_finished_when_all_is_done",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.done} of {self.total} symbols over {self.horizon_sessions} sessions"

    @property
    def is_open(self) -> bool:
        """Whether answers are still to come."""
        return self.state in self.OPEN


class BatchPiece(models.Model):
    """Some of a job's symbols as they were written, and the answers in the same order once a worker has them."""

    job = models.ForeignKey(BatchJob, on_delete=models.CASCADE, related_name="pieces")
    number = models.PositiveIntegerField("page of the job, from 1")
    symbols = ArrayField(models.CharField(max_length=LONGEST_WORD))
    answers = models.JSONField(null=True)
    claimed_at = models.DateTimeField("when a worker took it", null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["job", "number"], name="batch_piece_once_in_a_job")]
        indexes: ClassVar = [
            models.Index(fields=["claimed_at"], condition=Q(answers__isnull=True), name="batch_piece_unanswered")
        ]

    def __str__(self) -> str:
        return f"page {self.number} of {self.job_id}"
