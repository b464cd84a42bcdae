"""Queries and responses of the track record endpoints."""

import re
from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from marketdata.api.fields import StrictInteger
from mlops.forecasting.intervals.levels import LEVELS
from predictions.conf import HORIZONS
from predictions.models import AccuracySnapshot, Forecast
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.selectors.metrics import window_name

LONGEST_HISTORY_DAYS = 3_650
LARGEST_PAGE = 1_000
USUAL_PAGE = 100
CURSOR = re.compile(
    r"([1-9][0-9]{5})\.([1-9][0-9]{0,2})\.(" + "|".join(Forecast.Kind.values) + r")\.([1-9][0-9]{0,17})"
)
WINDOW_NAMES = {window_name(days): days for days in WINDOWS}
# What a later version republished is listed on request.
SHOWN_KINDS = (Forecast.Kind.LIVE.value, Forecast.Kind.LATE.value, Forecast.Kind.HINDCAST.value)


@extend_schema_field({"type": "string", "pattern": f"^{CURSOR.pattern}$"})
class PlaceField(serializers.Field):
    """Cursor of a history page, from an earlier response."""

    def to_internal_value(self, data: Any) -> tuple[date, int, str, int]:
        """Return target, horizon, kind and key of the last forecast of the previous page."""
        found = CURSOR.fullmatch(str(data))
        if not found:
            raise serializers.ValidationError("Invalid cursor. Use `next_cursor` of a previous response.")
        return date.fromordinal(int(found[1])), int(found[2]), found[3], int(found[4])


def cursor_of(place: tuple[date, int, str, int]) -> str:
    """Encode a cursor; the day is an ordinal, so that every well-formed cursor is valid."""
    day, *rest = place
    return ".".join(str(part) for part in (day.toordinal(), *rest))


class HistoryIn(serializers.Serializer):
    """Query of a stock's history."""

    days = StrictInteger(
        min_value=1,
        max_value=LONGEST_HISTORY_DAYS,
        default=30,
        help_text="Target dates within the last N calendar days; pending ones are included.",
    )
    horizon = serializers.ChoiceField(
        choices=HORIZONS, required=False, help_text="Horizon in trading days; default: all."
    )
    kind = serializers.ChoiceField(
        choices=Forecast.Kind.values, required=False, help_text="Default: live, late and hindcast."
    )
    limit = StrictInteger(default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE)
    cursor = PlaceField(required=False, help_text="`next_cursor` of the previous response.")


@extend_schema_field({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
class VersionField(serializers.CharField):
    """Name of a model version."""


class MetricsIn(serializers.Serializer):
    """Query of the metrics."""

    horizon = serializers.ChoiceField(
        choices=HORIZONS, required=False, help_text="Horizon in trading days; default: all."
    )
    window = serializers.ChoiceField(
        choices=list(WINDOW_NAMES), default=window_name(ALL_TIME), help_text="Calendar days up to `as_of`."
    )
    kind = serializers.ChoiceField(
        choices=Forecast.Kind.values,
        required=False,
        help_text="Default: live if any live forecast is scored, else hindcast, else late; kinds are never mixed. "
        "`republished` forecasts count for their own version only.",
    )
    version = VersionField(
        required=False,
        max_length=64,
        help_text="Model version; default: all, for `republished` forecasts the version in production.",
    )


def _share(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(min_value=0.0, max_value=1.0, allow_null=True, help_text=help_text)


def _number(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=help_text)


class CallsOut(serializers.Serializer):
    """Scored BUY or SELL signals."""

    n = serializers.IntegerField(min_value=0)
    accuracy = _share()


class CallsSameDayOut(CallsOut):
    """Signals of one meaning, compared with all stocks on the same days."""

    base_rate_same_day = _share("Average accuracy of the same signal for all stocks on the same days.")
    lift_same_day = _number("`accuracy` minus `base_rate_same_day`.")


class CallsByMeaningOut(serializers.Serializer):
    """BUY is correct if the price rises, SELL (lag) if it underperforms the median, SELL (risk) if it moves over 5%."""

    buy = CallsSameDayOut()
    sell_lag = CallsSameDayOut()
    sell_risk = CallsSameDayOut()


class SwingsOut(CallsOut):
    """Accuracy of the predicted volatility direction."""

    base_rate = _share('Baseline accuracy: always "higher volatility".')


Coverage = type(
    "Coverage",
    (serializers.Serializer,),
    {
        "__doc__": "Share of prices inside the interval of each level.",
        **{str(level): _share() for level in LEVELS},
    },
)


class _FiguresOut(serializers.Serializer):
    accuracy = _share("Share of correct directions.")
    base_rate = _share('Baseline accuracy: always "up".')
    precision = _share('Precision for "up".')
    recall = _share('Recall for "up".')
    f1 = _share()
    brier = _share()
    brier_skill = _number("Brier skill against the base rate (0 = no better).")
    log_loss = _number()
    coverage = Coverage()
    price_mae_skill = _number("MAE skill vs. the last price (0 = no better).")
    price_mse_skill = _number("MSE skill vs. the last price (0 = no better).")
    buy = CallsOut()
    sell = CallsOut()
    volatility = SwingsOut()


class FiguresOut(_FiguresOut):
    """Metrics of scored forecasts; null if undefined."""

    n = serializers.IntegerField(min_value=0)
    hits = serializers.IntegerField(min_value=0, help_text="Number of correct directions.")


class HorizonFiguresOut(FiguresOut):
    """Metrics of one horizon."""

    horizon = serializers.ChoiceField(choices=HORIZONS)
    verdict = serializers.ChoiceField(
        choices=AccuracySnapshot.Verdict.values, help_text="Over all time, whatever the window."
    )
    needed_n = serializers.IntegerField(min_value=0, help_text="Number of scored forecasts needed for a first verdict.")


class ModelFiguresOut(FiguresOut):
    """Metrics of one model version."""

    model_version = serializers.CharField()


class WindowFiguresOut(FiguresOut):
    """Metrics of one window."""

    window = serializers.ChoiceField(choices=list(WINDOW_NAMES))


class CalibrationBinOut(serializers.Serializer):
    """Forecasts with `probability_up` in [`lower`, `upper`)."""

    lower = serializers.FloatField()
    upper = serializers.FloatField()
    n = serializers.IntegerField(min_value=1)
    mean_probability = serializers.FloatField()
    share_up = serializers.FloatField()


class PeriodOut(serializers.Serializer):
    """Metrics of a day, week or month of target dates."""

    first = serializers.DateField()
    last = serializers.DateField()
    n = serializers.IntegerField(min_value=1)
    accuracy = _share()
    base_rate = _share()
    coverage_80 = _share()
    coverage_95 = _share()
    coverage_99 = _share()
    brier = _share()


class MetricsOut(_FiguresOut):
    """The requested part of the track record."""

    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    horizon = serializers.ChoiceField(choices=HORIZONS, allow_null=True)
    window = serializers.ChoiceField(choices=list(WINDOW_NAMES))
    model_version = serializers.CharField(allow_null=True)
    as_of = serializers.DateField(allow_null=True, help_text="Last trading day of the windows.")
    last_updated = serializers.DateTimeField(allow_null=True)
    total_predictions = serializers.IntegerField(min_value=0, help_text="Number of scored forecasts in these metrics.")
    scored = serializers.DictField(
        child=serializers.IntegerField(min_value=0), help_text="Number of scored forecasts by kind."
    )
    overdue = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        help_text="Number of forecasts by kind without a closing price after their target date, such as those of "
        "delisted stocks; they count in no metric.",
    )
    calls = CallsByMeaningOut()
    by_horizon = HorizonFiguresOut(many=True)
    by_model = ModelFiguresOut(many=True, help_text="Newest version first.")
    by_window = WindowFiguresOut(many=True)
    over_time = PeriodOut(many=True, help_text="By day up to 90 days, by week up to 365, else by month; oldest first.")
    calibration = CalibrationBinOut(many=True)


class _PastForecastOut(serializers.Serializer):
    id = serializers.IntegerField()
    as_of = serializers.DateField(help_text="Last trading day known to the forecast.")
    target_date = serializers.DateField()
    horizon = serializers.ChoiceField(choices=HORIZONS)
    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    status = serializers.ChoiceField(choices=Forecast.Status.values)
    model_version = serializers.CharField()
    data_source = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    live_until = serializers.DateTimeField(help_text="When trading went on; a live forecast was recorded before.")
    last_price = _number()
    predicted_price = _number()
    probability_up = _share()
    base_rate_up = _share()
    signal = serializers.ChoiceField(choices=Forecast.Signal.values, allow_null=True)
    signal_meaning = serializers.ChoiceField(choices=["rise", "lag", "risk"], allow_null=True)
    volatility_rises = _share()
    actual_price = _number("Null until the price of the target date is final.")
    error = _number("Predicted minus actual.")
    went_up = serializers.BooleanField(allow_null=True)
    direction_right = serializers.BooleanField(allow_null=True)
    volatility_rose = serializers.BooleanField(allow_null=True)
    call_right = serializers.BooleanField(allow_null=True, help_text="Whether BUY or SELL was correct.")
    scored_at = serializers.DateTimeField(allow_null=True)
    corrected_price = _number("Later correction of the price; it changes no metric.")


PastForecastOut = type(
    "PastForecastOut",
    (_PastForecastOut,),
    {
        "__doc__": "A forecast with its outcome.",
        **{f"{side}_{level}": _number() for level in LEVELS for side in ("lower", "upper")},
        **{f"inside_{level}": serializers.BooleanField(allow_null=True) for level in LEVELS},
    },
)


class HistoryAccuracyOut(serializers.Serializer):
    """Metrics by kind; kinds not requested are null."""

    window = serializers.ChoiceField(choices=list(WINDOW_NAMES), help_text="Aggregation window that contains `days`.")
    live = FiguresOut(allow_null=True)
    late = FiguresOut(allow_null=True)
    hindcast = FiguresOut(allow_null=True)


class HistoryOut(serializers.Serializer):
    """One stock's forecasts, newest target first."""

    symbol = serializers.CharField()
    currency = serializers.CharField()
    as_of = serializers.DateField(allow_null=True, help_text="Last trading day of the record.")
    days = serializers.IntegerField()
    horizon = serializers.ChoiceField(choices=HORIZONS, allow_null=True)
    accuracy = HistoryAccuracyOut()
    forecasts = PastForecastOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    next = serializers.CharField(allow_null=True, help_text="URL of the next page.")
