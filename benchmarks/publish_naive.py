"""Publishing as it is usually written: symbol by symbol, bars and forecasts as objects, everything one at a time."""

import numpy as np
from django.db import transaction

from marketdata.models import DailyBar
from mlops.forecasting.serving import forecast_panel
from mlops.forecasting.types import PRICE_FIELDS, Panel
from mlops.models import ModelVersion
from mlops.services.serving import bundle_of
from predictions.live.forecasts import push_forecasts
from predictions.models import Forecast, ForecastInput, Toolchain
from predictions.readpath.cache import cache_forecasts
from predictions.services import ledger
from predictions.services.input_blocks import packed
from predictions.services.rows import PublicationContext, forecast_rows


def published_one_by_one(instruments, *, now):
    version = ModelVersion.objects.get(stage="champion")
    toolchain = Toolchain.objects.latest("pk")
    for instrument in instruments:
        bars = list(DailyBar.objects.filter(instrument=instrument).order_by("session"))
        columns = {name: np.array([[float(getattr(bar, name))] for bar in bars]) for name in PRICE_FIELDS}
        sessions = np.array([bar.session for bar in bars], dtype="datetime64[D]")
        panel = Panel(symbols=(instrument.symbol,), sessions=sessions, **columns)
        origin = bars[-1].session
        context = PublicationContext(version, origin, Forecast.Kind.LIVE, now, toolchain)
        for forecast in forecast_panel(bundle_of(version, "serving"), panel, origin=origin):
            with transaction.atomic():
                ledger.lock_chain()
                (row,) = forecast_rows([forecast], {forecast.symbol: instrument}, context, inputs={})
                if forecast.inputs is not None:
                    row.inputs = stored_input(forecast, instrument, context)
                ids = ledger.reserve_ids("predictions_forecast", 1)
                for chained in ledger.chain_forecasts([row], ids=ids, after=ledger.newest_hash()):
                    chained.save(force_insert=True)
            answers = cache_forecasts([row], stale=False, now=now)
            push_forecasts([{"instrument_id": instrument.pk, "rendered": rendered} for rendered in answers])


def stored_input(forecast, instrument, context):
    block = packed(forecast.inputs)
    known = ForecastInput.objects.filter(sha256=block.sha256, instrument=instrument).first()
    if known is not None:
        return known
    return ForecastInput.objects.create(
        instrument=instrument, origin=context.origin, feature_set=context.version.feature_set, sha256=block.sha256,
        rows=block.rows, columns=block.columns, block=block.compressed(),
    )  # fmt: skip
