"""Bodies of every vendor: limits on decompressed bytes, for compressed and endless ones alike."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response
from yfinance.data import YfData

from marketdata.conf import AlphaVantageSettings
from marketdata.errors import FailureKind, ProviderUnavailable
from marketdata.providers.alpha_vantage import AlphaVantage
from marketdata.providers.bodies import MAX_BODY_BYTES, BodyRefused, BoundedBody
from marketdata.providers.yahoo import YahooProvider
from marketdata.tests.factories import FIRST, LAST
from marketdata.tests.news_factories import NETFLIX, PATHS, SECRET, SINCE, serve, source

PATIENT_S = 60.0
BLANKS = b" " * 2**20
TOO_MANY = 40
TOO_LARGE = "response exceeds 33,554,432 bytes"
NOT_REQUESTED = "response has an encoding that was not requested"
VENDORS = ("yahoo", "alpha_vantage prices", *PATHS)


def gzip_bomb() -> bytes:
    """Return 40 MiB of blanks in 40 KB."""
    return gzip.compress(BLANKS * TOO_MANY)


def endless(_request: Request) -> Response:
    def pieces() -> Iterator[bytes]:
        while True:
            yield BLANKS

    return Response(pieces(), content_type="application/json")


def compressed(body: bytes, encoding: str) -> Response:
    return Response(body, headers={"Content-Encoding": encoding, "Content-Type": "application/json"})


BOMBS = {
    "plain": (lambda _: Response(BLANKS * TOO_MANY), TOO_LARGE),
    "gzip": (lambda _: compressed(gzip_bomb(), "gzip"), TOO_LARGE),
    "deflate": (lambda _: compressed(zlib.compress(BLANKS * TOO_MANY), "deflate"), TOO_LARGE),
    "brotli": (lambda _: compressed(brotli.compress(BLANKS * TOO_MANY), "br"), NOT_REQUESTED),
    "endless": (endless, TOO_LARGE),
}


def fetch(vendor: str, url: str, folder: Path) -> object:
    """Call the vendor once."""
    if vendor == "yahoo":
        yahoo = YahooProvider(timeout_s=PATIENT_S, base_url=url, cache_folder=folder)
        return yahoo.fetch_daily_bars("AAPL", first=FIRST, last=LAST)
    if vendor == "alpha_vantage prices":
        settings = AlphaVantageSettings(SECRET, url, timeout_s=PATIENT_S)
        return AlphaVantage(settings).fetch_daily_bars("AAPL", first=FIRST, last=LAST)
    return source(vendor, url, timeout_s=PATIENT_S).fetch_news(NETFLIX, since=SINCE)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("vendor", VENDORS)
def test_body_is_limited_for_every_vendor(httpserver: HTTPServer, tmp_path: Path, vendor: str, bomb: str) -> None:
    YfData._instances.clear()
    answer, reason = BOMBS[bomb]
    if vendor in PATHS:
        serve(httpserver, vendor, answer)
    else:
        path = "/query" if "prices" in vendor else "/v8/finance/chart/AAPL"
        httpserver.expect_request(path).respond_with_handler(answer)
    with pytest.raises(ProviderUnavailable) as caught:
        fetch(vendor, httpserver.url_for("").rstrip("/"), tmp_path)
    # curl knows Brotli, and decompresses it in small steps.
    expected = TOO_LARGE if vendor == "yahoo" else reason
    assert (caught.value.kind, caught.value.reason) == (FailureKind.MALFORMED, expected)
    YfData._instances.clear()


def test_decompression_stops_at_the_limit() -> None:
    bomb = gzip.compress(b" " * 2**26)
    body = BoundedBody("gzip", 1_000)
    tracemalloc.start()
    with pytest.raises(BodyRefused, match="exceeds 1,000 bytes"):
        body.feed(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "", "identity"])
def test_body_within_the_limit_is_complete(encoding: str) -> None:
    text = b"[1, 2, 3]" * 100
    sent = gzip.compress(text) if encoding == "gzip" else zlib.compress(text) if encoding == "deflate" else text
    body = BoundedBody(encoding, len(text))
    for index in range(0, len(sent), 7):
        body.feed(sent[index : index + 7])
    assert body.content() == text
    assert MAX_BODY_BYTES == 33_554_432


def test_incomplete_or_invalid_compression_is_refused() -> None:
    cut = BoundedBody("gzip", 1_000)
    cut.feed(gzip.compress(b"[1, 2, 3]" * 100)[:-9])
    with pytest.raises(BodyRefused, match="not validly compressed"):
        cut.content()
    with pytest.raises(BodyRefused, match="not validly compressed"):
        BoundedBody("gzip", 1_000).feed(b"[1, 2, 3]")
