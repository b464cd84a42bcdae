"""A served site with a small market, a track record and news, for API tests."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
from django.core.cache import cache
from django.db import connection

from config.devserver.paths import ROOT
from config.tests.waiting import wait_until
from marketdata.sentiment.lexicon.scorer import LexiconScorer
from marketdata.services.news import ingest_news
from marketdata.tests.news_factories import FakeNewsProvider, article
from predictions.models import Forecast
from predictions.services.accuracy import update_accuracy
from predictions.services.ledger import record_head
from predictions.services.scoring import build_outcome
from predictions.tests.factories import at
from predictions.tests.scene import NOW, ORIGIN, Scene, issued_forecast, scene

PAST_SESSIONS = 30
HEADLINES = ("Netflix beats estimates", "Apple shares rise on strong demand", "NVIDIA falls on export limits")


def called_market() -> Scene:
    """The scene, with forecasts of the past that were scored, a head of the ledger, news, and a source's health."""
    cache.clear()
    shown = scene()
    for rank, stock in enumerate(shown.instruments.values()):
        for back in range(1, PAST_SESSIONS):
            target = ORIGIN - timedelta(days=back)
            past = issued_forecast(
                stock, shown.version, 5, kind=Forecast.Kind.HINDCAST, fit=Forecast.Fit.HOLDOUT,
                origin=target - timedelta(days=7), target=target,
            )  # fmt: skip
            assert past.predicted_price is not None
            drift = Decimal("1.03") if (back + rank) % 3 else Decimal("0.96")
            build_outcome(past, past.predicted_price * drift, revision=0, now=NOW).save()
    update_accuracy(now=NOW, through=ORIGIN)
    record_head(clock=at(NOW))
    articles = [article(title, published_at=NOW - timedelta(hours=8)) for title in HEADLINES]
    ingest_news(
        now=NOW,
        instruments=list(shown.instruments.values()),
        providers=[FakeNewsProvider("newsapi", articles)],
        scorer=LexiconScorer(),
    )
    return shown


@contextmanager
def served_site(folder: Path, variables: Mapping[str, str] | None = None) -> Iterator[str]:
    """The web process over the test's database, until the block ends; gives its address."""
    with served_process(folder, variables) as (address, _):
        yield address


@contextmanager
def served_process(
    folder: Path, variables: Mapping[str, str] | None = None, *, workers: int = 1
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """The web process as in served_site, with `workers` workers; gives its address and main process."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = urlsplit(os.environ["DATABASE_URL"])
    database = urlunsplit(own._replace(path=f"/{connection.settings_dict['NAME']}"))
    settings = {"DJANGO_SETTINGS_MODULE": "config.settings.test", "DATABASE_URL": database, **(variables or {})}
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "web.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, "--workers", str(workers), "--workers-kill-timeout", "5", "--blocking-threads", "4",
             "config.wsgi:application"],
            cwd=ROOT, env={**os.environ, **settings}, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        _await_answer(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.terminate()
        process.wait(10)


def _await_answer(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def answers() -> bool:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            httpx.get(f"{address}/health/live", timeout=10, trust_env=False)
        except httpx.TransportError:
            return False
        return True

    wait_until(answers, "the web process")
