"""Schemas of forecast and ledger responses; the responses themselves are rendered bytes."""

from rest_framework import serializers

from marketdata.api.base import RequestBody
from marketdata.api.fields import StrictInteger
from mlops.forecasting.intervals.levels import LEVELS
from predictions.conf import HORIZONS, PUBLIC_KEY
from predictions.models import AccuracySnapshot, Forecast
from predictions.signed_head import LONGEST_PAYLOAD

MOST_ENTRIES = 5_000


def _probability(help_text: str = "") -> serializers.FloatField:
    return serializers.FloatField(min_value=0.0, max_value=1.0, allow_null=True, help_text=help_text)


class DriverOut(serializers.Serializer):
    """A feature with one of the largest contributions to the forecast."""

    name = serializers.CharField()
    words = serializers.CharField(help_text="Description of the feature.")
    contribution = serializers.FloatField(help_text="Contribution to the log odds of a rise.")
    direction = serializers.ChoiceField(choices=["up", "down"])


class RiskOut(serializers.Serializer):
    """Volatility risk."""

    volatility_rises = _probability("Probability that volatility rises; null for horizon 1.")
    big_move = _probability("Probability of a move of more than 5% in either direction.")
    level = serializers.ChoiceField(choices=["low", "normal", "elevated", "high"], allow_null=True)


class ScoreOut(serializers.Serializer):
    """Accuracy of scored forecasts; shares are null without any."""

    accuracy = _probability("Share of correct directions.")
    base_rate = _probability('Baseline accuracy: always "up".')
    n = serializers.IntegerField(min_value=0)
    coverage_95 = _probability("Share of prices inside the 95% interval.")


class RecordOut(ScoreOut):
    """Accuracy of past forecasts of this kind and horizon, over all stocks and model versions."""

    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    verdict = serializers.ChoiceField(
        choices=AccuracySnapshot.Verdict.values,
        help_text='Whether direction forecasts beat always saying "up", tested at dates fixed in advance.',
    )
    needed_n = serializers.IntegerField(min_value=0, help_text="Number of scored forecasts needed for a first verdict.")
    symbol = ScoreOut(help_text="This stock only; too few forecasts for a verdict.")


def _interval_field() -> serializers.ListField:
    return serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2, allow_null=True)


Intervals = type(
    "Intervals",
    (serializers.Serializer,),
    {
        "__doc__": "Prediction intervals: lower and upper price by level.",
        **{f"{n}%": _interval_field() for n in LEVELS},
    },
)


class ForecastContentOut(serializers.Serializer):
    """Content of a forecast, which never changes; an abstention has null numbers and `reasons`."""

    id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Forecast.Status.values)
    reasons = serializers.ListField(child=serializers.CharField())
    symbol = serializers.CharField()
    as_of = serializers.DateField(help_text="Last trading day known to the forecast.")
    horizon = serializers.ChoiceField(choices=HORIZONS, help_text="Horizon in trading days.")
    target_date = serializers.DateField(help_text="Trading day that is forecast.")
    predicted_price = serializers.FloatField(allow_null=True)
    last_price = serializers.FloatField(allow_null=True)
    signal = serializers.ChoiceField(choices=Forecast.Signal.values, allow_null=True)
    signal_meaning = serializers.ChoiceField(
        choices=["rise", "lag", "risk"],
        allow_null=True,
        help_text="Meaning of the signal: a rise, underperforming the other stocks, or a high risk of a large move.",
    )
    confidence = _probability("Probability of the predicted direction.")
    probability_up = _probability("Probability that the price is higher on `target_date`.")
    base_rate_up = _probability("Base rate: how often these stocks rise.")
    confidence_interval = Intervals()
    risk = RiskOut()
    drivers = DriverOut(many=True)
    kind = serializers.ChoiceField(choices=Forecast.Kind.values)
    model_version = serializers.CharField()
    data_source = serializers.CharField()
    disclaimer = serializers.CharField()


class ForecastOut(ForecastContentOut):
    """The current forecast of a stock; an abstention has null numbers and `reasons`."""

    record = RecordOut()
    stale = serializers.BooleanField(
        help_text="The prices are out of date, or the cached response could not be refreshed."
    )
    fresh_until = serializers.DateTimeField(
        help_text="Time until which this response is served from the cache, whatever the age of its prices."
    )


class StoredForecastOut(ForecastContentOut):
    """A stored forecast with its provenance and ledger hashes. It never changes."""

    recorded_at = serializers.DateTimeField()
    origin_closed_at = serializers.DateTimeField(help_text="Close of the last trading day known to the forecast.")
    live_until = serializers.DateTimeField(help_text="When trading went on; a live forecast was recorded before.")
    fit = serializers.ChoiceField(
        choices=Forecast.Fit.values, help_text="Which fit produced it (hold-out for backtests)."
    )
    model_sha256 = serializers.CharField(help_text="Digest of the model's files.")
    toolchain = serializers.DictField(
        child=serializers.CharField(), allow_null=True, help_text="Library versions used."
    )
    inputs_sha256 = serializers.CharField(allow_null=True, help_text="Digest of the inputs.")
    previous_hash = serializers.CharField()
    entry_hash = serializers.CharField()


class DifferenceOut(serializers.Serializer):
    field = serializers.CharField()
    stored = serializers.CharField(allow_null=True)
    recomputed = serializers.CharField(allow_null=True)


class ToolDifferenceOut(serializers.Serializer):
    name = serializers.CharField()
    recorded = serializers.CharField(allow_null=True)
    used = serializers.CharField(allow_null=True)


class ReplayOut(serializers.Serializer):
    """A forecast recomputed from its stored inputs and model files."""

    forecast_id = serializers.IntegerField()
    identical = serializers.BooleanField(help_text="Reproduced exactly.")
    differences = DifferenceOut(many=True)
    same_toolchain = serializers.BooleanField(help_text="Recomputed with the recorded library versions.")
    toolchain_differences = ToolDifferenceOut(many=True)
    toolchain = serializers.DictField(child=serializers.CharField(), help_text="Library versions of this replay.")
    model_version = serializers.CharField()
    model_sha256 = serializers.CharField()
    fit = serializers.ChoiceField(choices=Forecast.Fit.values)
    inputs_sha256 = serializers.CharField()
    seal_holds = serializers.BooleanField(help_text="The stored record matches its seal.")
    replayed_at = serializers.DateTimeField()


class ReplayWaitingOut(serializers.Serializer):
    """A replay in progress; poll the URL in `Location`."""

    forecast_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["waiting"])


class HeadIn(serializers.Serializer):
    """Query of the ledger head."""

    day = serializers.DateField(required=False, help_text="UTC day; default: the current head.")


class DayHeadOut(serializers.Serializer):
    """Daily head of the ledger; heads form a hash chain of their own."""

    day = serializers.DateField()
    count = serializers.IntegerField(min_value=1)
    last_forecast = serializers.IntegerField()
    head_hash = serializers.CharField()
    outcomes = serializers.IntegerField(min_value=0, help_text="Number of outcomes.")
    last_outcome = serializers.IntegerField(min_value=0)
    outcomes_hash = serializers.CharField(help_text="Hash of all outcomes in order.")
    recorded_at = serializers.CharField(help_text="Time as it is hashed.")
    key_id = serializers.CharField(help_text="Key of the signature; `/ledger/key` lists the keys.")
    payload = serializers.CharField(help_text="Hashed text: canonical JSON of the fields above.")
    previous_hash = serializers.CharField(help_text="Entry hash of the head before; 64 zeros for the first.")
    entry_hash = serializers.CharField(help_text="SHA-256 of the previous hash, a line feed and the payload.")
    signature = serializers.CharField(
        help_text="Ed25519 signature of `hindcast ledger head`, a line feed and the entry hash."
    )


class HeadOut(serializers.Serializer):
    """Head of the hash chain. Save one and you can prove later that no earlier forecast was altered."""

    count = serializers.IntegerField(min_value=0, help_text="Number of forecasts.")
    last_forecast = serializers.IntegerField(allow_null=True)
    head_hash = serializers.CharField(help_text="Hash of the newest forecast; 64 zeros without any.")
    day_head = DayHeadOut(allow_null=True, help_text="Head of the requested day, else of the latest day.")


class HeadsOut(serializers.Serializer):
    """Daily heads, newest first."""

    heads = DayHeadOut(many=True)


class LedgerKeyOut(serializers.Serializer):
    """Public key of signatures."""

    key_id = serializers.CharField(help_text="First 16 digits of the SHA-256 of the public key.")
    public_key = serializers.CharField(help_text="Ed25519 public key: 32 bytes in hexadecimal digits.")
    added_at = serializers.DateTimeField()
    endorsed_by = serializers.CharField(allow_null=True, help_text="Id of the key that it replaced.")
    endorsement = serializers.CharField(
        allow_null=True,
        help_text="Signature by the replaced key of `hindcast ledger key`, a line feed and the public key.",
    )


class LedgerKeysOut(serializers.Serializer):
    """Public keys of signatures, newest first; null and none before the first head."""

    key_id = serializers.CharField(allow_null=True, help_text="Key that signs new heads.")
    public_key = serializers.CharField(allow_null=True)
    keys = LedgerKeyOut(many=True)


class SignedHeadIn(RequestBody):
    """A daily head of another deployment, as its `/ledger/head` shows it, with its public key."""

    public_key = serializers.RegexField(rf"^{PUBLIC_KEY.pattern}$")
    previous_hash = serializers.RegexField(r"^[0-9a-f]{64}$")
    payload = serializers.CharField(max_length=LONGEST_PAYLOAD, trim_whitespace=False)
    signature = serializers.RegexField(r"^[0-9a-f]{128}$")


class WitnessedHeadOut(serializers.Serializer):
    """Head of another deployment."""

    day = serializers.DateField()
    count = serializers.IntegerField(min_value=1)
    head_hash = serializers.CharField()
    payload = serializers.CharField()
    previous_hash = serializers.CharField()
    entry_hash = serializers.CharField()
    signature = serializers.CharField()
    public_key = serializers.CharField()
    received_at = serializers.DateTimeField()


class WitnessedHeadsOut(serializers.Serializer):
    """Heads of other deployments, newest first."""

    heads = WitnessedHeadOut(many=True)


class EntriesIn(serializers.Serializer):
    """Query of the ledger export."""

    after = StrictInteger(default=0, min_value=0, max_value=2**63 - 1, help_text="Return entries after this key.")
    limit = StrictInteger(default=1_000, min_value=1, max_value=MOST_ENTRIES)
