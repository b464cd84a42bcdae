"""Requests and responses of batches."""

from datetime import UTC, datetime
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketdata.api.base import RequestBody
from marketdata.api.fields import SingleLineText
from marketdata.api.schema import ProblemOut
from predictions.api.serializers import ForecastOut
from predictions.conf import BATCH_RETENTION, DEFAULT_HORIZON, HORIZONS, MAX_BATCH_SYMBOLS, PIECE_SIZE
from predictions.models import BatchJob, Forecast
from predictions.models.batch_job import LONGEST_WORD
from predictions.readpath.batch_lookup import PROBLEM

WAITING, CANCELLED = "waiting", "cancelled"
JOB = {
    "id": "3f0c5a52-6a5f-4f0e-9e55-0d3a9b1f7c11",
    "status": "running",
    "horizon": 5,
    "total": 500,
    "done": 300,
    "problems": 1,
    "pages": 5,
    "created_at": "2026-03-02T22:05:00Z",
    "finished_at": None,
    "expires_at": "2026-03-09T22:05:00Z",
    "url": "/api/v1/predict/batch/3f0c5a52-6a5f-4f0e-9e55-0d3a9b1f7c11",
}


class BatchIn(RequestBody):
    """Symbols and horizon; a repeated symbol is answered once."""

    symbols = serializers.ListField(
        child=SingleLineText(max_length=LONGEST_WORD), min_length=1, max_length=MAX_BATCH_SYMBOLS
    )
    horizon = serializers.ChoiceField(choices=HORIZONS, default=DEFAULT_HORIZON, help_text="Horizon in trading days.")

    def validate_symbols(self, symbols: list[str]) -> list[str]:
        """Remove duplicates, keeping the order."""
        return list(dict.fromkeys(symbols))


class BatchAnswerOut(serializers.Serializer):
    """Result of one symbol: a forecast, a problem, or a pending state."""

    symbol = serializers.CharField(help_text="Symbol as requested.")
    status = serializers.ChoiceField(choices=[*Forecast.Status.values, PROBLEM, WAITING, CANCELLED])
    forecast = ForecastOut(required=False)
    problem = ProblemOut(required=False)


class BatchOut(serializers.Serializer):
    """Results of up to 50 symbols."""

    predictions = BatchAnswerOut(many=True)


class BatchJobOut(serializers.Serializer):
    """Progress of a job, in symbols."""

    id = serializers.UUIDField()
    status = serializers.ChoiceField(choices=BatchJob.State.values, source="state")
    horizon = serializers.ChoiceField(choices=HORIZONS, source="horizon_sessions")
    total = serializers.IntegerField()
    done = serializers.IntegerField(help_text="Number of completed symbols.")
    problems = serializers.IntegerField(help_text="Number of completed symbols without a forecast.")
    pages = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    def get_pages(self, job: BatchJob) -> int:
        """Number of result pages of at most 100 symbols."""
        return -(-job.total // PIECE_SIZE)

    def get_expires_at(self, job: BatchJob) -> datetime:
        """When the job and its results are deleted."""
        return (job.created_at + BATCH_RETENTION).astimezone(UTC)

    @extend_schema_field(serializers.CharField(help_text="URL of the job and its results."))
    def get_url(self, job: BatchJob) -> str:
        """Return the URL to poll."""
        return reverse("predictions-api:batch-job", args=(job.pk,))


class BatchPageOut(BatchJobOut):
    """A job with one page of results in the order of the symbols."""

    page = serializers.IntegerField()
    next_page = serializers.IntegerField(allow_null=True)
    predictions = BatchAnswerOut(many=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        raise NotImplementedError("pages are assembled from stored results")


class PageIn(serializers.Serializer):
    """Query of a page of results."""

    page = serializers.IntegerField(default=1, min_value=1, max_value=MAX_BATCH_SYMBOLS // PIECE_SIZE)
