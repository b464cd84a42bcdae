"""Calls of the mixed load and their shares."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import uuid4

from config.devserver.server_process import HOST
from predictions.conf import HORIZONS, MAX_IMMEDIATE_SYMBOLS

JOB_SYMBOLS = 120
JOB = "batch job"


@dataclass(frozen=True, slots=True)
class Call:
    """A kind of call with its share of all weights; `request` makes a random one for `server`."""

    name: str
    weight: float
    server: str
    request: Callable[[random.Random], bytes]
    status: int = 200


def request_mix(symbols: Sequence[str], forecast_id: int, headers: Mapping[str, str]) -> list[Call]:
    """Return the mix: mostly reads by programs, some pages, a few batches."""

    def get(path: str, **named: str) -> Callable[[random.Random], bytes]:
        def made(chance: random.Random) -> bytes:
            values = {"symbol": chance.choice(symbols), "horizon": chance.choice(HORIZONS)}
            return request_of("GET", path.format(**values), {**headers, **named})

        return made

    def page(path: str) -> Callable[[random.Random], bytes]:
        def made(chance: random.Random) -> bytes:
            return request_of("GET", path.format(symbol=chance.choice(symbols)), {"Accept": "text/html"})

        return made

    def batch(count: int) -> Callable[[random.Random], bytes]:
        def made(chance: random.Random) -> bytes:
            body = {"symbols": chance.sample(symbols, count), "horizon": chance.choice(HORIZONS)}
            own = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
            return request_of("POST", "/api/v1/predict/batch", {**headers, **own}, json.dumps(body).encode())

        return made

    predict = "/api/v1/predict?symbol={symbol}&horizon={horizon}"
    return [
        Call("predict (edge)", 40, "edge", get(predict)),
        Call("predict (web)", 8, "web", get(predict)),
        Call("history", 8, "web", get("/api/v1/history/{symbol}?days=90")),
        Call("metrics", 6, "web", get("/api/v1/metrics?horizon={horizon}")),
        Call("prices", 8, "web", get("/api/v1/prices/{symbol}")),
        Call("symbols", 6, "web", get("/api/v1/symbols?search={symbol}")),
        Call("quotes", 4, "web", get("/api/v1/quotes?symbols={symbol}")),
        Call("sentiment", 2, "web", get("/api/v1/sentiment/{symbol}")),
        Call("forecast", 3, "web", get(f"/api/v1/forecasts/{forecast_id}")),
        Call("ledger heads", 2, "web", get("/api/v1/ledger/heads")),
        Call(f"batch of {MAX_IMMEDIATE_SYMBOLS}", 2, "web", batch(MAX_IMMEDIATE_SYMBOLS)),
        Call(JOB, 0.2, "web", batch(JOB_SYMBOLS), status=202),
        Call("page of stocks", 2, "web", page("/")),
        Call("page of a stock", 3, "web", page("/stocks/{symbol}")),
        Call("page of the record", 1, "web", page("/record")),
    ]


def request_of(method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """Return a whole HTTP request."""
    sent_headers = {"Host": HOST, **headers, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent_headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body
