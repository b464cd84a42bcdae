"""The statements that add outcomes up: one expression for each sum, written out for days and for windows."""

from mlops.forecasting.targets import BIG_MOVE
from predictions.models.accuracy_totals import BIN_COUNT, BIN_EDGES, BIN_TOTALS, SCALAR_TOTALS

# One row of `scored`: a forecast with its first outcome. What is added is whole or rounded, so the order is nothing.
_UP = "went_up::int"
_P = "probability_up"
_LOSS = f"round((-ln(CASE WHEN went_up THEN {_P} ELSE 1 - {_P} END::float8))::numeric, 12)"
_SWINGS = "(predicted_volatility_rise IS NOT NULL AND volatility_rose IS NOT NULL)"
_RISK = "signal = 'SELL' AND signal_meaning = 'risk'"
_OFF, _MOVED = "(predicted_price - actual_price)", "(actual_price - last_price)"
ADDED: dict[str, str] = {
    "n": "1",
    "hits": "coalesce(direction_right, false)::int",
    "ups": _UP,
    "predicted_up": f"({_P} > 0.5)::int",
    "predicted_up_hits": f"({_P} > 0.5 AND went_up)::int",
    "inside_80": "coalesce(inside_80, false)::int",
    "inside_95": "coalesce(inside_95, false)::int",
    "inside_99": "coalesce(inside_99, false)::int",
    "buys": "(signal = 'BUY' AND call_right IS NOT NULL)::int",
    "buy_hits": "coalesce(signal = 'BUY' AND call_right, false)::int",
    "sells": "(signal = 'SELL' AND call_right IS NOT NULL)::int",
    "sell_hits": "coalesce(signal = 'SELL' AND call_right, false)::int",
    "volatility_calls": f"{_SWINGS}::int",
    "volatility_hits": f"({_SWINGS} AND (predicted_volatility_rise > 0.5) = volatility_rose)::int",
    "volatility_rises": f"({_SWINGS} AND volatility_rose)::int",
    "risks": f"({_RISK} AND call_right IS NOT NULL)::int",
    "risk_hits": f"coalesce({_RISK} AND call_right, false)::int",
    "big_moves": f"(abs({_MOVED}) > {BIG_MOVE} * last_price)::int",
    "brier": f"({_P} - {_UP}) * ({_P} - {_UP})",
    "log_loss": _LOSS,
    "absolute_error": f"round(abs({_OFF}) / last_price, 12)",
    "absolute_naive": f"round(abs({_MOVED}) / last_price, 12)",
    "squared_error": f"round({_OFF} * {_OFF} / (last_price * last_price), 12)",
    "squared_naive": f"round({_MOVED} * {_MOVED} / (last_price * last_price), 12)",
}
# What is added within a bin, out of the sums of the bin alone.
_IN_BIN: dict[str, str] = {"bin_n": "n", "bin_ups": "ups", "bin_probability": "probability"}

SCORED = f"""
SELECT o.id AS outcome_id, f.model_version_id, f.kind, f.horizon_sessions, f.instrument_id, f.target,
    f.probability_up, f.last_price, f.predicted_price, f.signal, f.signal_meaning,
    f.volatility_rises AS predicted_volatility_rise, o.actual_price,
    o.went_up, o.direction_right, o.inside_80, o.inside_95, o.inside_99, o.volatility_rose, o.call_right,
    width_bucket(f.probability_up, ARRAY[{", ".join(map(str, BIN_EDGES))}]) AS bin
FROM predictions_outcome o JOIN predictions_forecast f ON f.id = o.forecast_id
WHERE o.revision = 0
"""


def _side_by_side(name: str) -> str:
    return ", ".join(f"coalesce(sum(sign * {name}) FILTER (WHERE bin = {number}), 0)" for number in range(BIN_COUNT))


# First by bin, which is a few rows for each key; then the bins side by side.
_FINE = ",\n    ".join(
    [*(f"sum({expression}) AS {name}" for name, expression in ADDED.items()), f"sum({_P}) AS probability"]
)
_TOGETHER = ",\n    ".join(
    [*(f"sum(sign * {name})" for name in ADDED), *(f"ARRAY[{_side_by_side(name)}]" for name in _IN_BIN.values())]
)
# What a later version republishes counts in its own sums only.
_COUNTED = "kind <> 'republished' OR GROUPING(model_version_id) = 0"
_COLUMNS = ", ".join([*ADDED, *BIN_TOTALS])


def _upsert(table: str, keys: str) -> str:
    added = [f"{name} = {table}.{name} + EXCLUDED.{name}" for name in ADDED]
    added += [
        f"{name} = ARRAY(SELECT a + b FROM unnest({table}.{name}, EXCLUDED.{name}) WITH ORDINALITY AS u(a, b, place)"
        " ORDER BY place)"
        for name in BIN_TOTALS
    ]
    return f"ON CONFLICT ({keys}) DO UPDATE SET {', '.join(added)}"


# Parameters: counted, newest.
ADD_DAYS = f"""
WITH fine AS (
    SELECT model_version_id, kind, horizon_sessions, target, sign, bin, {_FINE}
    FROM (SELECT *, 1 AS sign FROM ({SCORED} AND o.id > %(counted)s AND o.id <= %(newest)s) AS scored) AS fresh
    GROUP BY model_version_id, kind, horizon_sessions, target, sign, bin
)
INSERT INTO predictions_accuracyday (model_version_id, kind, horizon_sessions, target, {_COLUMNS})
SELECT model_version_id, kind, horizon_sessions, target, {_TOGETHER} FROM fine
GROUP BY kind, horizon_sessions, target, GROUPING SETS ((model_version_id), ())
HAVING {_COUNTED}
{_upsert("predictions_accuracyday", "kind, model_version_id, horizon_sessions, target")}
"""

# Parameters: counted, newest, as_of, before (the former as_of), windows, and all kinds and horizons, with which the
# rows that leave are found by index. What is new enters, what is too old leaves.
MOVE_WINDOWS = f"""
WITH moved AS (
    SELECT scored.*, days, 1 AS sign
    FROM ({SCORED} AND o.id > %(counted)s AND o.id <= %(newest)s) AS scored, unnest(%(windows)s::int[]) AS days
    WHERE days = 0 OR target > %(as_of)s::date - days
    UNION ALL
    SELECT scored.*, days, -1 AS sign
    FROM unnest(%(windows)s::int[]) AS days CROSS JOIN LATERAL (
        {SCORED} AND o.id <= %(counted)s AND f.kind = ANY(%(kinds)s) AND f.horizon_sessions = ANY(%(horizons)s)
            AND f.target > %(before)s::date - days AND f.target <= %(as_of)s::date - days
    ) AS scored
    WHERE days > 0
), fine AS (
    SELECT model_version_id, kind, horizon_sessions, instrument_id, days, sign, bin, {_FINE}
    FROM moved GROUP BY model_version_id, kind, horizon_sessions, instrument_id, days, sign, bin
)
INSERT INTO predictions_accuracysnapshot
    (model_version_id, kind, horizon_sessions, instrument_id, window_days, verdict, {_COLUMNS})
SELECT model_version_id, kind, horizon_sessions, instrument_id, days, '', {_TOGETHER} FROM fine
GROUP BY kind, horizon_sessions, days, CUBE (model_version_id, instrument_id)
HAVING {_COUNTED}
{_upsert("predictions_accuracysnapshot", "instrument_id, kind, model_version_id, window_days, horizon_sessions")}
"""

# Every sum of the model has its expression, or the import fails.
if set(ADDED) != set(SCALAR_TOTALS) or set(_IN_BIN) != set(BIN_TOTALS):
    raise TypeError("the sums of the record and their expressions do not agree")
