"""Mixed load at a share of the capacity, with workers restarted in the middle."""

import asyncio
import resource
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from accounts.models import Scope, User
from accounts.tests.factories import key_of
from benchmarks import load_report
from benchmarks.api_scene import EMAIL, keep_answers, prepared
from benchmarks.api_servers import Server, ours
from benchmarks.frame import machine, own_database
from benchmarks.load_drive import Driver
from benchmarks.load_mix import Call, request_mix
from benchmarks.load_stream import Stream
from benchmarks.load_worker import PROCESSES, Worker, renew
from config.devserver.demo import collect_static
from marketdata.models import Instrument
from predictions.conf import HORIZONS
from predictions.models import Forecast
from predictions.tests.factories import forecasts, stock

DATABASE = "hindcast_load"
STOCKS = 150
FOLLOWED = 5
WARM_S, CAPACITY_S = 10.0, 20.0
CALLERS = 32


@dataclass(frozen=True, slots=True)
class Site:
    """The running processes and the calls of the load."""

    web: Server
    edge: Server
    worker: Worker
    mix: list[Call]
    stocks: list[Instrument]
    headers: dict[str, str]

    def driver(self) -> Driver:
        """Return a client of both servers."""
        return Driver({"web": self.web.port, "edge": self.edge.port}, self.mix, self.headers)


def run(*, minutes: float, share: float) -> None:
    """Measure in a database of its own, print a table and, as the last line, one JSON object."""
    on = machine()
    _, hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard_limit, hard_limit))
    with own_database(DATABASE):
        collect_static()
        with _site() as site:
            measured = asyncio.run(_measure(site, 60 * minutes, share))
    load_report.report(measured, on)


@contextmanager
def _site() -> Iterator[Site]:
    folder = Path(settings.HINDCAST_SITE.data_dir) / "bench-load"
    folder.mkdir(parents=True, exist_ok=True)
    scene = prepared(folder)
    others = [stock(f"L{number:03}") for number in range(STOCKS)]
    forecasts(others, HORIZONS, kind=Forecast.Kind.LATE)
    keep_answers()
    stocks = list(Instrument.objects.order_by("symbol"))
    _, key = key_of(User.objects.get(email=EMAIL), Scope.READ, Scope.PREDICT)
    headers = {"X-API-Key": key}
    mix = request_mix([one.symbol for one in stocks], scene.forecast_id, headers)
    variables = scene.variables(folder)
    with ExitStack() as stack:
        worker = Worker(variables, folder / "worker.log")
        stack.callback(worker.stop)
        worker.start()
        web = stack.enter_context(ours("web", variables, folder, processes=PROCESSES))
        edge = stack.enter_context(ours("edge", variables, folder))
        yield Site(web, edge, worker, mix, stocks, headers)


async def _measure(site: Site, seconds: float, share: float) -> load_report.Measured:
    warm = site.driver()
    await warm.first_job()
    await warm.closed(CALLERS, WARM_S)
    full = site.driver()
    capacity = await full.closed(CALLERS, CAPACITY_S)
    driver, stream = site.driver(), Stream(site.edge, site.stocks[:FOLLOWED])
    rate = share * capacity
    restarts = asyncio.create_task(_restart(site, seconds / 2))
    listening = asyncio.create_task(stream.run(seconds))
    began = time.monotonic()
    await driver.open(rate, seconds)
    lasted = time.monotonic() - began
    await listening
    away_s, renewed_s = await restarts
    return load_report.Measured(
        driver=driver, stream=stream, capacity=capacity, rate=rate, lasted_s=lasted, away_s=away_s, renewed_s=renewed_s
    )


async def _restart(site: Site, after_s: float) -> tuple[float, float]:
    """Restart the worker, then renew the processes of `web`."""
    await asyncio.sleep(after_s)
    away = await asyncio.to_thread(site.worker.restart)
    return away, await asyncio.to_thread(renew, site.web)
