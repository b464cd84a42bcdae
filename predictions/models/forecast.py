"""One stored forecast."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

# A check constraint accepts a comparison with NULL, so the required columns are tested for NULL by name.
PRICES = ("last_price", "predicted_price", "lower_80", "upper_80", "lower_95", "upper_95", "lower_99", "upper_99")

# The first publication from an origin, and every publication from the newest session.
FIRST_KINDS = ("live", "late")
PUBLISHED_KINDS = (*FIRST_KINDS, "republished")


class Forecast(models.Model):
    """Forecast for one instrument from one origin session over one horizon; a trigger refuses updates and deletes.

    Prices are in the instrument's currency, probabilities in 0..1 with six decimals. An abstention has null numbers and
    a reason. `payload` holds every other column as canonical JSON, and `entry_hash` covers it and the hash of the row
    before. `symbol` and `tick` are copies of the instrument's, because both can change.

    The kind follows from the time of recording: `live` from the close of the origin session until `live_until`, `late`
    after that, `republished` where an earlier version has a live or late row. `recorded_at` never falls along the
    chain: a trigger refuses such rows.

    The migration makes (id, origin) the primary key in the database, so that the table can be partitioned by origin.
    """

    class Kind(models.TextChoices):
        LIVE = "live"
        LATE = "late"
        REPUBLISHED = "republished"
        HINDCAST = "hindcast"

    class Fit(models.TextChoices):
        SERVING = "serving"
        HOLDOUT = "holdout"

    class Status(models.TextChoices):
        ISSUED = "issued"
        ABSTAINED = "abstained"

    class Signal(models.TextChoices):
        BUY = "BUY"
        HOLD = "HOLD"
        SELL = "SELL"

    # Foreign keys have no index of their own: the indexes below begin with the columns that queries filter by.
    instrument = models.ForeignKey(
        "marketdata.Instrument", on_delete=models.PROTECT, related_name="forecasts", db_index=False
    )
    symbol = models.CharField(max_length=15)
    origin = models.DateField("last session known")
    horizon_sessions = models.PositiveSmallIntegerField()
    target = models.DateField("session forecast")
    origin_closed_at = models.DateTimeField()
    live_until = models.DateTimeField("when trading goes on")
    kind = models.CharField(max_length=11, choices=Kind)
    status = models.CharField(max_length=9, choices=Status)
    reasons = ArrayField(models.CharField(max_length=200), default=list)
    tick = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    last_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    predicted_price = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    probability_up = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    base_rate_up = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    probability_beats_median = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    signal = models.CharField(max_length=4, choices=Signal, blank=True)
    signal_meaning = models.CharField(max_length=16, blank=True)
    signal_reason = models.CharField(max_length=200, blank=True)
    confidence = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    lower_80 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    upper_80 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    lower_95 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    upper_95 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    lower_99 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    upper_99 = models.DecimalField(max_digits=24, decimal_places=12, null=True)
    volatility_rises = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    big_move = models.DecimalField(max_digits=7, decimal_places=6, null=True)
    risk_level = models.CharField(max_length=8, blank=True)
    drivers = models.JSONField(default=list)
    model_version = models.ForeignKey(
        "mlops.ModelVersion", on_delete=models.PROTECT, related_name="forecasts", db_index=False
    )
    fit = models.CharField("which of the version's two fits", max_length=7, choices=Fit)
    toolchain = models.ForeignKey(
        "predictions.Toolchain", on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    data_source = models.CharField(max_length=32)
    basis_date = models.DateField("splits applied up to", null=True)
    inputs = models.ForeignKey("predictions.ForecastInput", on_delete=models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField()
    payload = models.TextField("canonical JSON of all other columns")
    previous_hash = models.CharField(max_length=64)
    entry_hash = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            # Publishing looks up the rows of one origin.
            models.UniqueConstraint(
                fields=["origin", "instrument", "horizon_sessions"],
                condition=Q(kind__in=FIRST_KINDS),
                name="forecast_first_published_once",
            ),
            models.UniqueConstraint(
                fields=["instrument", "origin", "horizon_sessions", "model_version", "kind"],
                condition=~Q(kind__in=FIRST_KINDS),
                name="forecast_published_once",
            ),
            models.CheckConstraint(
                condition=Q(origin_closed_at__lte=F("recorded_at"), origin_closed_at__lt=F("live_until")),
                name="forecast_recorded_after_close",
            ),
            models.CheckConstraint(
                condition=Q(live_until__date__lte=F("target")), name="forecast_live_until_target_at_most"
            ),
            models.CheckConstraint(
                condition=~Q(kind="live") | Q(recorded_at__lt=F("live_until")), name="forecast_live_means_before"
            ),
            models.CheckConstraint(
                condition=~Q(kind="late") | Q(recorded_at__gte=F("live_until")), name="forecast_late_means_after"
            ),
            models.CheckConstraint(condition=Q(fit__in=["serving", "holdout"]), name="forecast_fit_known"),
            models.CheckConstraint(condition=Q(target__gt=F("origin")), name="forecast_target_after_origin"),
            models.CheckConstraint(
                condition=Q(status="abstained")
                | Q(
                    lower_99__lte=F("lower_95"),
                    lower_95__lte=F("lower_80"),
                    lower_80__lte=F("predicted_price"),
                    upper_80__gte=F("predicted_price"),
                    upper_95__gte=F("upper_80"),
                    upper_99__gte=F("upper_95"),
                ),
                name="forecast_intervals_nested",
            ),
            models.CheckConstraint(
                condition=Q(
                    status="issued",
                    probability_up__isnull=False,
                    probability_up__gt=0,
                    probability_up__lt=1,
                    lower_99__gt=0,
                    **{f"{name}__isnull": False for name in PRICES},
                )
                | Q(status="abstained", predicted_price=None, probability_up=None, signal=""),
                name="forecast_issued_or_abstained",
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["instrument", "horizon_sessions", "-origin", "model_version"],
                condition=Q(kind__in=PUBLISHED_KINDS),
                name="forecast_latest",
            ),
            models.Index(fields=["instrument", "target", "horizon_sessions", "kind", "id"], name="forecast_history"),
            models.Index(fields=["kind", "horizon_sessions", "target"], name="forecast_by_target"),
            models.Index(fields=["model_version", "kind", "origin"], name="forecast_of_version"),
        ]

    def __str__(self) -> str:
        return f"{self.instrument_id} +{self.horizon_sessions} from {self.origin}"

    @property
    def serves(self) -> bool:
        """Whether its model version is the champion now; reads the version."""
        return self.model_version.stage == "champion"
