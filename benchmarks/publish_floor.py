"""The least that leaves the same rows, seals and answers behind: plain strings from the model's numbers to COPY.

The models, explanations and hashes are the product's. There is no row object, no exact decimal, no second call that
finds what was said, no row for an abstention, and no outage to live through: this is a floor, not a design.
"""

import hashlib
import json
import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import numpy as np
from django.conf import settings
from django.db import connection, transaction

from marketdata.calendars import session_after
from marketdata.live import publish_encoded
from marketdata.models import Instrument
from mlops.dataset import load_panel
from mlops.forecasting.intervals.levels import LEVELS
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.types import HORIZONS
from mlops.models import ModelVersion
from mlops.services.serving import bundle_of
from predictions.conf import DISCLAIMER
from predictions.ledger_payload import GENESIS, chain_hash, instant_text
from predictions.live_window import live_window
from predictions.models import Forecast, Toolchain
from predictions.readpath.cache import write_entries
from predictions.readpath.rendering import RenderedForecast, encode_json
from predictions.selectors.track_record import track_records
from store.client import redis_client

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
THREADS = 2
LOCK = "SELECT pg_advisory_xact_lock(1885470721)"
KEYS = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s) ORDER BY 1"
HEAD = "SELECT entry_hash FROM predictions_forecast ORDER BY id DESC LIMIT 1"
COLUMNS = [column.attname for column in Forecast._meta.concrete_fields]
COPY_INPUTS = (
    "COPY predictions_forecastinput (id, instrument_id, origin, feature_set, sha256, rows, columns, block) FROM STDIN "
    "(FORMAT BINARY)"
)
COPY = f"COPY predictions_forecast ({', '.join(COLUMNS)}) FROM STDIN"


def published_least(*, now):
    version = ModelVersion.objects.get(stage="champion")
    instruments = {one.symbol: one for one in Instrument.objects.filter(is_active=True)}
    panel = load_panel(instruments=instruments.values())
    origin = panel.sessions[-1].item()
    day, recorded_at = origin.isoformat(), instant_text(now)
    group = forecast_panel(bundle_of(version, "serving"), panel, origin=origin)
    group = [one for one in group if one.status == "issued"]
    toolchain = Toolchain.objects.latest("pk")
    window = live_window("XNYS", origin)
    window = {"origin_closed_at": instant_text(window.closed_at), "live_until": instant_text(window.until)}
    targets = {horizon: session_after("XNYS", origin, horizon).isoformat() for horizon in HORIZONS}
    records = track_records([("live", one.horizon_sessions, instruments[one.symbol].pk) for one in group])
    bodies = []
    until = now + timedelta(seconds=settings.HINDCAST_FORECASTS.cache_seconds)
    with ThreadPoolExecutor(THREADS) as pool, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK)
        spoken = group[:: len(HORIZONS)]
        inputs = stored_inputs(cursor, pool, spoken, instruments, origin, version.feature_set)
        cursor.execute(HEAD)
        previous = (cursor.fetchone() or (GENESIS,))[0]
        keys = keys_of(cursor, "predictions_forecast", len(group))
        with cursor.copy(COPY) as copy:
            for one, key in zip(group, keys, strict=True):
                instrument = instruments[one.symbol]
                inputs_id, inputs_sha256 = inputs[one.symbol]
                fields = texts_of(one, instrument)
                drivers = [
                    {
                        "name": d.name,
                        "words": d.words,
                        "contribution": f"{d.contribution:.6f}",
                        "direction": d.direction,
                    }
                    for d in one.drivers
                ]
                fields |= {
                    "drivers": drivers, "id": key, "origin": day, "kind": "live", "fit": "serving", "reasons": [],
                    "target": targets[one.horizon_sessions], "recorded_at": recorded_at, "model_version_id": version.pk,
                    **window,
                }  # fmt: skip
                payload = encode(
                    {"_schema": 1, **fields, "model_sha256": version.artifact_sha256, "inputs_sha256": inputs_sha256,
                     "toolchain": toolchain.versions}
                )  # fmt: skip
                entry_hash = chain_hash(previous, payload)
                row = fields | {
                    "drivers": json.dumps(drivers), "reasons": "{}", "inputs_id": inputs_id,
                    "toolchain_id": toolchain.pk, "payload": payload,
                    "previous_hash": previous, "entry_hash": entry_hash,
                }  # fmt: skip
                copy.write_row([row[name] for name in COLUMNS])
                previous = entry_hash
                record = records["live", one.horizon_sessions, instrument.pk]
                bodies.append((instrument.pk, body_of(fields, drivers, version.version, record, one.horizon_sessions)))
        # Made while the transaction commits.
        answers = pool.submit(answers_of, bodies, until)
    announce(answers.result(), version.version, now, until)


def stored_inputs(cursor, pool, group, instruments, origin, feature_set):
    found = {}
    keys = keys_of(cursor, "predictions_forecastinput", len(group))
    raws = [np.ascontiguousarray(one.inputs).tobytes() for one in group]
    packed = pool.map(zlib.compress, raws)
    with cursor.copy(COPY_INPUTS) as copy:
        copy.set_types(("int8", "int8", "date", "varchar", "varchar", "int4", "int4", "bytea"))
        for one, key, raw, block in zip(group, keys, raws, packed, strict=True):
            sha256 = hashlib.sha256(raw).hexdigest()
            copy.write_row([key, instruments[one.symbol].pk, origin, feature_set, sha256, *one.inputs.shape, block])
            found[one.symbol] = key, sha256
    return found


def keys_of(cursor, table, count):
    cursor.execute(KEYS, [table, count])
    return [key for (key,) in cursor.fetchall()]


def texts_of(one, instrument):
    """The numbers as they are stored, prices on the tick."""
    tick = float(instrument.tick)
    texts = {
        "symbol": one.symbol, "instrument_id": instrument.pk, "horizon_sessions": one.horizon_sessions,
        "status": one.status, "signal": one.signal, "signal_meaning": one.signal_meaning,
        "signal_reason": one.signal_reason, "risk_level": one.risk_level, "data_source": instrument.source,
        "basis_date": None if instrument.basis_date is None else instrument.basis_date.isoformat(),
        "tick": f"{instrument.tick:.6f}", "predicted_price": f"{round(one.predicted_price / tick) * tick:.6f}",
    }  # fmt: skip
    for level, (lower, upper) in one.intervals.items():
        texts[f"lower_{level}"] = f"{math.floor(lower / tick) * tick:.6f}"
        texts[f"upper_{level}"] = f"{math.ceil(upper / tick) * tick:.6f}"
    for name in ("last_price", "probability_up", "base_rate_up", "probability_beats_median", "confidence",
                 "volatility_rises", "big_move"):  # fmt: skip
        value = getattr(one, name)
        texts[name] = None if value is None else f"{value:.6f}"
    return texts


def body_of(texts, drivers, version, record, horizon):
    def number(name):
        return None if texts[name] is None else float(texts[name])

    return {
        "id": texts["id"], "status": texts["status"], "reasons": [], "symbol": texts["symbol"],
        "as_of": texts["origin"], "horizon": horizon, "target_date": texts["target"],
        "predicted_price": number("predicted_price"), "last_price": number("last_price"),
        "signal": texts["signal"] or None, "signal_meaning": texts["signal_meaning"] or None,
        "confidence": number("confidence"), "probability_up": number("probability_up"),
        "base_rate_up": number("base_rate_up"),
        "confidence_interval": {
            f"{level}%": [number(f"lower_{level}"), number(f"upper_{level}")] for level in LEVELS
        },
        "risk": {"volatility_rises": number("volatility_rises"), "big_move": number("big_move"),
                 "level": texts["risk_level"] or None},
        "drivers": [{**driver, "contribution": float(driver["contribution"])} for driver in drivers],
        "record": record, "kind": "live", "model_version": version,
        "data_source": texts["data_source"], "stale": False, "disclaimer": DISCLAIMER,
    }  # fmt: skip


def answers_of(bodies, until):
    for _, body in bodies:
        body["fresh_until"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
    return [(instrument_id, RenderedForecast(body, encode_json(body))) for instrument_id, body in bodies]


def announce(answers, version, now, until):
    redis_client().set("champion", version)
    by_instrument, entries = {}, []
    for instrument_id, one in answers:
        body = one.payload
        key = f"fc:{version}:{body['symbol']}:{body['horizon']}"
        entries.append((key, (one.json, one.stale_json, body["status"].encode())))
        by_instrument.setdefault(instrument_id, []).append(one)
    write_entries(entries, now=now, fresh_until=until, stale=False)
    publish_encoded([
        (f"forecasts.instrument.{key}",
         encode_json({"type": "change", "channel": "forecasts", "symbol": group[0].payload["symbol"],
                  "as_of": group[0].payload["as_of"], "stale": False})[:-1]
         + b',"forecasts":[' + b",".join([one.json for one in group]) + b"]}")
        for key, group in by_instrument.items()
    ])  # fmt: skip
