"""What the API's answers hold, as the schema tells it; the answers themselves are ready-made bytes."""

from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from predictions.conf import HORIZONS
from predictions.models import AccuracySnapshot, Forecast
from predictions.readpath.bodies import LEVELS


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
    level = serializers.ChoiceField(choices=["calm", "usual", "raised", "high"], allow_null=True)


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


@extend_schema_serializer(component_name="Forecast")
class ForecastOut(serializers.Serializer):
    """One forecast; an abstention has null numbers and says why in `reasons`."""

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
    record = RecordOut()
    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    model_version = serializers.CharField()
    data_source = serializers.CharField()
    stale = serializers.BooleanField(help_text="The prices are old, or the stored answer could not be renewed.")
    fresh_until = serializers.DateTimeField()
    disclaimer = serializers.CharField()
