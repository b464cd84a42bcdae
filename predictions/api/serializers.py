"""What the API's answers hold, as the schema tells it; the answers themselves are ready-made bytes."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from marketdata.api.fields import StrictInteger
from predictions.conf import HORIZONS
from predictions.models import AccuracySnapshot, Forecast
from predictions.readpath.rendering import LEVELS

MOST_ENTRIES = 5_000


def _probability(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(min_value=0.0, max_value=1.0, allow_null=True, help_text=help_text)


@extend_schema_serializer(component_name="Driver")
class DriverOut(serializers.Serializer):
    """One of the features that moved the forecast most."""

    name = serializers.CharField()
    words = serializers.CharField(help_text="The feature in plain words.")
    contribution = serializers.FloatField(help_text="Its part of the log odds of a rise.")
    direction = serializers.ChoiceField(choices=["up", "down"])


@extend_schema_serializer(component_name="Risk")
class RiskOut(serializers.Serializer):
    """How restless the price may become."""

    volatility_rises = _probability("Null over one session.")
    big_move = _probability("Probability of a move of more than 5 %.")
    level = serializers.ChoiceField(choices=["low", "normal", "elevated", "high"], allow_null=True)


@extend_schema_serializer(component_name="Score")
class ScoreOut(serializers.Serializer):
    """How some scored forecasts came out; shares are null where there are none."""

    accuracy = _probability("Share of right directions.")
    base_rate = _probability('What always saying "up" gets on the same forecasts.')
    n = serializers.IntegerField(min_value=0)
    coverage_95 = _probability("Share of outcomes inside the 95 % interval.")


@extend_schema_serializer(component_name="Record")
class RecordOut(ScoreOut):
    """How earlier forecasts of this kind and horizon came out, over all stocks and versions."""

    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    verdict = serializers.ChoiceField(
        choices=AccuracySnapshot.Verdict.values,
        help_text='Whether the direction is right more often than always saying "up", judged at declared looks.',
    )
    needed_n = serializers.IntegerField(min_value=0, help_text="Scored forecasts that the first verdict needs.")
    symbol = ScoreOut(help_text="This stock alone, which is never enough to judge by.")


def _interval_field() -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True)


Intervals = type(
    "Intervals",
    (serializers.Serializer,),
    {
        "__doc__": "Lower and upper price by level, each inside the next.",
        **{f"{n}%": _interval_field() for n in LEVELS},
    },
)


class ForecastContentOut(serializers.Serializer):
    """What a forecast says for good; an abstention has null numbers and says why in `reasons`."""

    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Forecast.Status.values)
    reasons = serializers.ListField(child=serializers.CharField())
    symbol = serializers.CharField()
    as_of = serializers.DateField(help_text="The last session known to the forecast.")
    horizon = serializers.ChoiceField(choices=HORIZONS, help_text="Sessions ahead.")
    target_date = serializers.DateField(help_text="The session that is forecast.")
    predicted_price = serializers.FloatField(allow_null=True)
    last_price = serializers.FloatField(allow_null=True)
    signal = serializers.ChoiceField(choices=Forecast.Signal.values, allow_null=True)
    signal_meaning = serializers.ChoiceField(
        choices=["rise", "lag", "risk"],
        allow_null=True,
        help_text="What BUY or SELL stands for: a rise, lagging the other stocks, or a high risk of a big move.",
    )
    confidence = _probability()
    probability_up = _probability()
    base_rate_up = _probability("How often stocks like this rise anyway.")
    confidence_interval = Intervals()
    risk = RiskOut()
    drivers = DriverOut(many=True)
    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    model_version = serializers.CharField()
    data_source = serializers.CharField()
    disclaimer = serializers.CharField()


@extend_schema_serializer(component_name="Forecast")
class ForecastOut(ForecastContentOut):
    """One forecast as it is answered now; an abstention has null numbers and says why in `reasons`."""

    record = RecordOut()
    stale = serializers.BooleanField(help_text="The prices are old, or the stored answer could not be renewed.")
    fresh_until = serializers.DateTimeField()


@extend_schema_serializer(component_name="StoredForecast")
class StoredForecastOut(ForecastContentOut):
    """One stored forecast: what was said, with what it was made from and how it is sealed. It never changes."""

    recorded_at = serializers.DateTimeField()
    fit = serializers.ChoiceField(
        choices=Forecast.Fit.values, help_text="Which of the version's fits spoke; of the past, the hold-out's."
    )
    model_sha256 = serializers.CharField(help_text="Covers every byte of the model's files.")
    toolchain = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="Library versions it was computed with."
    )
    inputs_sha256 = serializers.CharField(allow_null=True, help_text="Of the numbers it was computed from.")
    previous_hash = serializers.CharField()
    entry_hash = serializers.CharField()


class _DifferenceOut(serializers.Serializer):
    field = serializers.CharField()
    stored = serializers.CharField(allow_null=True)
    recomputed = serializers.CharField(allow_null=True)


class _ToolDifferenceOut(serializers.Serializer):
    name = serializers.CharField()
    recorded = serializers.CharField(allow_null=True)
    used = serializers.CharField(allow_null=True)


@extend_schema_serializer(component_name="Replay")
class ReplayOut(serializers.Serializer):
    """A forecast computed again from its stored inputs and its model's files."""

    forecast_id = serializers.IntegerField()
    identical = serializers.BooleanField(help_text="Every stored digit came out again.")
    differences = _DifferenceOut(many=True)
    same_toolchain = serializers.BooleanField(help_text="It was computed with the versions that were recorded.")
    toolchain_differences = _ToolDifferenceOut(many=True)
    toolchain = serializers.DictField(child=serializers.CharField(), help_text="Versions this replay was done with.")
    model_version = serializers.CharField()
    model_sha256 = serializers.CharField()
    fit = serializers.ChoiceField(choices=Forecast.Fit.values)
    inputs_sha256 = serializers.CharField()
    seal_holds = serializers.BooleanField(help_text="What is stored is what was sealed.")
    replayed_at = serializers.DateTimeField()


@extend_schema_serializer(component_name="ReplayWaiting")
class ReplayWaitingOut(serializers.Serializer):
    """A replay that a worker has not finished yet; ask again where `Location` says."""

    forecast_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["waiting"])


class HeadIn(serializers.Serializer):
    """Which day's head is wanted."""

    day = serializers.DateField(required=False, help_text="A UTC day; the state of this moment if left out.")


@extend_schema_serializer(component_name="DayHead")
class DayHeadOut(serializers.Serializer):
    """Where the chain ended when a day's head was taken; heads are chained like forecasts."""

    day = serializers.DateField()
    count = serializers.IntegerField(min_value=1)
    last_forecast = serializers.IntegerField()
    head_hash = serializers.CharField()
    outcomes = serializers.IntegerField(min_value=0, help_text="Outcomes that were known.")
    last_outcome = serializers.IntegerField(min_value=0)
    outcomes_hash = serializers.CharField(help_text="Over all of them, in their order.")
    recorded_at = serializers.CharField(help_text="The instant in the form that is hashed.")
    previous_hash = serializers.CharField()
    entry_hash = serializers.CharField()


@extend_schema_serializer(component_name="Head")
class HeadOut(serializers.Serializer):
    """Where the chain of forecasts ends: keep it, and nobody can change or cut off what stands before."""

    count = serializers.IntegerField(min_value=0, help_text="Forecasts up to here.")
    last_forecast = serializers.IntegerField(allow_null=True)
    head_hash = serializers.CharField(help_text="The newest one's hash; 64 zeros when there is none.")
    day_head = DayHeadOut(allow_null=True, help_text="The head of the day asked for, else the newest day's.")


@extend_schema_serializer(component_name="Heads")
class HeadsOut(serializers.Serializer):
    """The heads of all days, newest first."""

    heads = DayHeadOut(many=True)


class EntriesIn(serializers.Serializer):
    """Which part of the ledger is wanted."""

    after = StrictInteger(default=0, min_value=0, max_value=2**63 - 1, help_text="Forecasts after this one.")
    limit = StrictInteger(default=1_000, min_value=1, max_value=MOST_ENTRIES)
