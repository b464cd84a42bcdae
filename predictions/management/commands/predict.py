"""`manage.py predict AAPL NVDA --horizon 5`: print the newest forecasts; publish missing ones first."""

import json
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from marketdata import clock
from marketdata.errors import MarketDataError, SymbolUnknown
from marketdata.management.reports import rendered
from marketdata.models import Instrument
from marketdata.selectors import instrument_by_symbol, newest_session, prices_are_stale
from mlops.errors import MlopsError, NoChampion
from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.errors import ClockBehind, ForecastUnavailable
from predictions.models import Forecast
from predictions.readpath.rendering import forecast_payloads
from predictions.selectors.forecasts import latest_forecasts
from predictions.services.publishing import publish_forecasts
from predictions.tables import forecast_table

WIDTH_IN_A_PIPE = 160


class Command(BaseCommand):
    help = (
        "Print the newest forecasts of the given stocks; publish them first if they are missing. Exits with 0 if "
        "every stock has a forecast, 1 if not (unknown symbol, no model), 2 for bad arguments."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("symbols", nargs="+", metavar="SYMBOL", help="stock symbols, such as AAPL or BRK.B")
        parser.add_argument(
            "--horizon", type=int, choices=HORIZONS, default=DEFAULT_HORIZON, help="trading days ahead (default: 5)"
        )
        parser.add_argument("--json", action="store_true", help="print a JSON list of API response bodies")

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        try:
            instruments = [instrument_by_symbol(symbol) for symbol in options["symbols"]]
            forecasts = _forecasts(list(dict.fromkeys(instruments)), options["horizon"], now)
        except SymbolUnknown as error:
            raise CommandError(_with_suggestions(error)) from error
        except NoChampion as error:
            raise CommandError(f"{error} Run `manage.py train` first.") from error
        except (MarketDataError, MlopsError, ForecastUnavailable, ClockBehind) as error:
            raise CommandError(str(error)) from error
        stale = prices_are_stale(now=now)
        if options["json"]:
            self.stdout.write(json.dumps(_bodies(forecasts, stale, now), indent=2, ensure_ascii=False))
            return
        on_terminal = self.stdout.isatty()
        width = None if on_terminal else WIDTH_IN_A_PIPE
        table = forecast_table(forecasts, stale=stale)
        self.stdout.write(rendered([table], coloured=on_terminal, width=width), ending="")


def _forecasts(instruments: Sequence[Instrument], horizon: int, now: datetime) -> list[Forecast]:
    """Return the newest forecast of each instrument; publish if one is missing or older than the newest session."""
    found = latest_forecasts(horizon)
    newest = newest_session()
    if any(item.pk not in found or found[item.pk].origin != newest for item in instruments):
        publish_forecasts(clock=clock.now)
        found = latest_forecasts(horizon)
    for item in instruments:
        if item.pk not in found:
            raise ForecastUnavailable(item.symbol, horizon)
    return [found[item.pk] for item in instruments]


def _bodies(forecasts: Sequence[Forecast], stale: bool, now: datetime) -> list[Any]:
    return list(forecast_payloads(forecasts, stale=stale, now=now))


def _with_suggestions(error: SymbolUnknown) -> str:
    if not error.suggestions:
        return str(error)
    return f"{str(error).removesuffix('.')}; did you mean {' or '.join(error.suggestions)}?"
