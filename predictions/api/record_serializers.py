"""What the calls about the record take, and what their answers hold, as the schema tells it."""

import re
from datetime import date
from typing import Any

from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from marketdata.api.fields import StrictInteger
from predictions.conf import HORIZONS
from predictions.models import AccuracySnapshot, Forecast
from predictions.models.accuracy_snapshot import ALL_TIME, WINDOWS
from predictions.selectors.metrics import window_name

LONGEST_HISTORY_DAYS = 3_650
LARGEST_PAGE = 1_000
USUAL_PAGE = 100
CURSOR = re.compile(r"([1-9][0-9]{5})\.([1-9][0-9]{0,2})\.(live|shadow|hindcast)\.([1-9][0-9]{0,17})")
WINDOW_NAMES = {window_name(days): days for days in WINDOWS}
SHOWN_KINDS = (Forecast.Kind.LIVE.value, Forecast.Kind.HINDCAST.value)


@extend_schema_field({"type": "string", "pattern": f"^{CURSOR.pattern}$"})
class PlaceField(serializers.Field):
    """A place in the order of forecasts, as an earlier answer told it."""

    def to_internal_value(self, data: Any) -> tuple[date, int, str, int]:
        """Target, horizon, kind and key of the last forecast that was shown."""
        found = CURSOR.fullmatch(str(data))
        if not found:
            raise serializers.ValidationError("This is no cursor of an earlier answer.")
        return date.fromordinal(int(found[1])), int(found[2]), found[3], int(found[4])


def cursor_of(place: tuple[date, int, str, int]) -> str:
    """The place as it is told; the day is a number, so that whatever has the form of a cursor is one."""
    day, *rest = place
    return ".".join(str(part) for part in (day.toordinal(), *rest))


class HistoryIn(serializers.Serializer):
    """Which forecasts of a stock are wanted."""

    days = StrictInteger(
        min_value=1,
        max_value=LONGEST_HISTORY_DAYS,
        default=30,
        help_text="Target sessions of the last so many calendar days; those still ahead are told as well.",
    )
    horizon = serializers.ChoiceField(choices=HORIZONS, required=False, help_text="Sessions ahead; all if left out.")
    kind = serializers.ChoiceField(
        choices=Forecast.Kind.values, required=False, help_text="Live and hindcast, each named as such, if left out."
    )
    limit = StrictInteger(default=USUAL_PAGE, min_value=1, max_value=LARGEST_PAGE)
    cursor = PlaceField(required=False, help_text="`next_cursor` of the answer before.")


@extend_schema_field({"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"})
class VersionField(serializers.CharField):
    """The name of a model version."""


class MetricsIn(serializers.Serializer):
    """Which part of the record is wanted."""

    horizon = serializers.ChoiceField(choices=HORIZONS, required=False, help_text="Sessions ahead; all if left out.")
    window = serializers.ChoiceField(
        choices=list(WINDOW_NAMES), default=window_name(ALL_TIME), help_text="Calendar days up to `as_of`."
    )
    kind = serializers.ChoiceField(
        choices=Forecast.Kind.values,
        required=False,
        help_text="Live as soon as one of them is scored, hindcasts until then, if left out; never both.",
    )
    version = VersionField(required=False, max_length=64, help_text="One model version; all if left out.")


def _share(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(min_value=0.0, max_value=1.0, allow_null=True, help_text=help_text)


def _number(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(allow_null=True, help_text=help_text)


@extend_schema_serializer(component_name="Calls")
class CallsOut(serializers.Serializer):
    """BUY or SELL calls that could be judged."""

    n = serializers.IntegerField(min_value=0)
    accuracy = _share()


@extend_schema_serializer(component_name="CallsSameDay")
class CallsSameDayOut(CallsOut):
    """Calls of one meaning beside the other stocks of the same sessions."""

    base_rate_same_day = _share("What the same calls get on any stock of their session, on average.")
    lift_same_day = _number("`accuracy` less that.")


@extend_schema_serializer(component_name="CallsByMeaning")
class CallsByMeaningOut(serializers.Serializer):
    """BUY is right when the price rises, SELL for lag when the stock stays behind the median, for risk above 5 %."""

    buy = CallsSameDayOut()
    sell_lag = CallsSameDayOut()
    sell_risk = CallsSameDayOut()


@extend_schema_serializer(component_name="Swings")
class SwingsOut(CallsOut):
    """Whether larger swings were said rightly."""

    base_rate = _share('What always saying "larger" gets.')


Coverage = type(
    "Coverage",
    (serializers.Serializer,),
    {
        "__doc__": "Share of outcomes inside the interval of each level.",
        **{str(level): _share() for level in (80, 95, 99)},
    },
)


class _FiguresOut(serializers.Serializer):
    accuracy = _share("Share of right directions.")
    base_rate = _share('What always saying "up" gets on the same forecasts.')
    precision = _share('Of those that said "up", the share that rose.')
    recall = _share('Of those that rose, the share that said "up".')
    f1 = _share()
    brier = _share()
    brier_skill = _number("Against always saying how often it rose.")
    log_loss = _number()
    coverage = Coverage()
    price_mae_skill = _number("Absolute error of the price against the last price, 0 is none better.")
    price_mse_skill = _number("The same with squares.")
    buy = CallsOut()
    sell = CallsOut()
    volatility = SwingsOut()


@extend_schema_serializer(component_name="Figures")
class FiguresOut(_FiguresOut):
    """Figures of some scored forecasts; null where there is nothing to divide by."""

    n = serializers.IntegerField(min_value=0)
    hits = serializers.IntegerField(min_value=0, help_text="Directions that were right.")


@extend_schema_serializer(component_name="HorizonFigures")
class HorizonFiguresOut(FiguresOut):
    """Those of one horizon."""

    horizon = serializers.ChoiceField(choices=HORIZONS)
    verdict = serializers.ChoiceField(
        choices=AccuracySnapshot.Verdict.values, help_text="Of all time, whatever the window."
    )
    needed_n = serializers.IntegerField(min_value=0, help_text="Scored forecasts that the first verdict needs.")


@extend_schema_serializer(component_name="ModelFigures")
class ModelFiguresOut(FiguresOut):
    """Those of one model version."""

    model_version = serializers.CharField()


@extend_schema_serializer(component_name="WindowFigures")
class WindowFiguresOut(FiguresOut):
    """Those of one window."""

    window = serializers.ChoiceField(choices=list(WINDOW_NAMES))


@extend_schema_serializer(component_name="CalibrationBin")
class CalibrationBinOut(serializers.Serializer):
    """Forecasts whose P(up) lay from `lower` to below `upper`."""

    lower = serializers.FloatField()
    upper = serializers.FloatField()
    n = serializers.IntegerField(min_value=1)
    mean_probability = serializers.FloatField()
    share_up = serializers.FloatField()


@extend_schema_serializer(component_name="Period")
class PeriodOut(serializers.Serializer):
    """A day, week or month of target sessions."""

    first = serializers.DateField()
    last = serializers.DateField()
    n = serializers.IntegerField(min_value=1)
    accuracy = _share()
    base_rate = _share()
    coverage_80 = _share()
    coverage_95 = _share()
    coverage_99 = _share()
    brier = _share()


@extend_schema_serializer(component_name="Metrics")
class MetricsOut(_FiguresOut):
    """The record, or the part of it that was asked for."""

    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    horizon = serializers.ChoiceField(choices=HORIZONS, allow_null=True)
    window = serializers.ChoiceField(choices=list(WINDOW_NAMES))
    model_version = serializers.CharField(allow_null=True)
    as_of = serializers.DateField(allow_null=True, help_text="The session with which windows end.")
    last_updated = serializers.DateTimeField(allow_null=True)
    total_predictions = serializers.IntegerField(min_value=0, help_text="Scored forecasts that the figures rest on.")
    scored = serializers.DictField(child=serializers.IntegerField(min_value=0), help_text="How many by kind.")
    overdue = serializers.DictField(
        child=serializers.IntegerField(min_value=0),
        help_text="How many by kind have no closing price though their session has passed, such as those of a delisted "
        "stock; they count in no figure.",
    )
    calls = CallsByMeaningOut()
    by_horizon = HorizonFiguresOut(many=True)
    by_model = ModelFiguresOut(many=True, help_text="The newest version first.")
    by_window = WindowFiguresOut(many=True)
    over_time = PeriodOut(many=True, help_text="By day to 90 days, by week to 365, by month beyond; oldest first.")
    calibration = CalibrationBinOut(many=True)


class _PastForecastOut(serializers.Serializer):
    id = serializers.IntegerField()
    as_of = serializers.DateField(help_text="The last session known to the forecast.")
    target_date = serializers.DateField()
    horizon = serializers.ChoiceField(choices=HORIZONS)
    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    status = serializers.ChoiceField(choices=Forecast.Status.values)
    model_version = serializers.CharField()
    data_source = serializers.CharField()
    recorded_at = serializers.DateTimeField()
    last_price = _number()
    predicted_price = _number()
    probability_up = _share()
    base_rate_up = _share()
    signal = serializers.ChoiceField(choices=Forecast.Signal.values, allow_null=True)
    signal_meaning = serializers.ChoiceField(choices=["rise", "lag", "risk"], allow_null=True)
    volatility_rises = _share()
    actual_price = _number("Null until the target session's bar is final.")
    error = _number("Predicted minus actual.")
    went_up = serializers.BooleanField(allow_null=True)
    direction_right = serializers.BooleanField(allow_null=True)
    volatility_rose = serializers.BooleanField(allow_null=True)
    call_right = serializers.BooleanField(allow_null=True, help_text="Whether BUY or SELL came true.")
    scored_at = serializers.DateTimeField(allow_null=True)
    corrected_price = _number("A later correction of the bar; it changes no figure.")


PastForecastOut = extend_schema_serializer(component_name="PastForecast")(
    type(
        "PastForecastOut",
        (_PastForecastOut,),
        {
            "__doc__": "A forecast beside what came of it.",
            **{f"{side}_{level}": _number() for level in (80, 95, 99) for side in ("lower", "upper")},
            **{f"inside_{level}": serializers.BooleanField(allow_null=True) for level in (80, 95, 99)},
        },
    )
)


@extend_schema_serializer(component_name="HistoryAccuracy")
class HistoryAccuracyOut(serializers.Serializer):
    """The figures of each kind; kinds that were not asked for are null."""

    window = serializers.ChoiceField(choices=list(WINDOW_NAMES), help_text="The rolled-up window that holds `days`.")
    live = FiguresOut(allow_null=True)
    hindcast = FiguresOut(allow_null=True)
    shadow = FiguresOut(allow_null=True)


@extend_schema_serializer(component_name="History")
class HistoryOut(serializers.Serializer):
    """One stock's forecasts, newest target first."""

    symbol = serializers.CharField()
    currency = serializers.CharField()
    as_of = serializers.DateField(allow_null=True, help_text="The session up to which the record reaches.")
    days = serializers.IntegerField()
    horizon = serializers.ChoiceField(choices=HORIZONS, allow_null=True)
    accuracy = HistoryAccuracyOut()
    forecasts = PastForecastOut(many=True)
    next_cursor = serializers.CharField(allow_null=True)
    next = serializers.CharField(allow_null=True, help_text="The address of the next page.")
