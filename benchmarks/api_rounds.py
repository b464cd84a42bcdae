"""Rounds of load: in each round every server takes a turn at every kind of load and number of connections."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import median

from benchmarks.api_load import Load, Wrk
from benchmarks.api_scene import Scene
from benchmarks.api_servers import Server

CONNECTIONS = (16, 64)
# `varied`: every request differs; `key` and `token`: one request is repeated.
KINDS = ("varied", "key", "token")
PATH = "/api/v1/predict?symbol=AAPL&horizon=5"
SERVERS = ("bare", "fastapi", "web", "edge")
PAIRS = (("web", "fastapi"), ("edge", "fastapi"), ("edge", "bare"))
WARM_UP_SECONDS = 1
# Server, kind of load, connections.
Case = tuple[str, str, int]
Loads = dict[Case, list[Load]]


def measured_loads(wrk: Wrk, servers: Mapping[str, Server], scene: Scene, rounds: int) -> Loads:
    """Measure every case `rounds` times. Raises SystemExit when a server answers anything but success."""
    loads: Loads = {}
    for server in servers.values():
        _load(replace(wrk, seconds=WARM_UP_SECONDS), server, scene, "varied", min(CONNECTIONS))
    for number in range(rounds):
        # Alternate the order, so that a drift of the machine's load favours no server.
        order = SERVERS if number % 2 == 0 else SERVERS[::-1]
        for connections in CONNECTIONS:
            for kind in KINDS:
                for name in order:
                    load = _load(wrk, servers[name], scene, kind, connections)
                    loads.setdefault((name, kind, connections), []).append(load)
    return loads


def _load(wrk: Wrk, server: Server, scene: Scene, kind: str, connections: int) -> Load:
    if kind == "varied":
        load = wrk.varied(server, scene.key_file, scene.symbol_file, connections)
    else:
        load = wrk.repeated(server, PATH, scene.headers(server.name, kind), connections)
    if load.failed:
        raise SystemExit(f"{server.name}: {load.failed} of the {kind} requests failed at {connections} connections.")
    return load


def ratios_of(loads: Loads) -> dict[str, float]:
    """Return the ratios, each the median over the rounds of one server's throughput divided by another's.

    A varied ratio without a number of connections is the lower one. `_cpu` is the ratio of calls per processor second
    of the server itself, which other load on the machine distorts less.
    """
    ratios: dict[str, float] = {}
    for kind in KINDS:
        for count in CONNECTIONS:
            for name, other in PAIRS:
                pairs = list(zip(loads[name, kind, count], loads[other, kind, count], strict=True))
                ratios[ratio_name(name, other, kind, count)] = median(a.per_second / b.per_second for a, b in pairs)
                cpu = ratio_name(f"{name}_cpu", other, kind, count)
                ratios[cpu] = median(b.cpu_us / a.cpu_us for a, b in pairs)
                if other == "fastapi":
                    p95 = ratio_name(f"{name}_p95", other, kind, count)
                    ratios[p95] = median(a.p95_ms / b.p95_ms for a, b in pairs)
    summary = {ratio_name(*pair, "varied"): _lowest(ratios, pair) for pair in PAIRS}
    return summary | ratios


def ratio_name(name: str, other: str, kind: str, count: int | None = None) -> str:
    """Return the name under which a ratio is reported."""
    varied, token = "_varied" if kind == "varied" else "", "_jwt" if kind == "token" else ""
    connections = "" if count is None else f"_c{count}"
    return f"{name}{varied}_vs_{other}{token}{connections}"


def median_of(loads: Iterable[Load], figure: str) -> float:
    """Return the median of a figure over the rounds."""
    return float(median(getattr(load, figure) for load in loads))


def figures_of(loads: Loads) -> dict[str, float]:
    """Return the medians over the rounds."""
    return {
        f"{name}_{kind}_c{count}_{figure}": median_of(case, figure)
        for (name, kind, count), case in loads.items()
        for figure in ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_us")
    }


def _lowest(ratios: Mapping[str, float], pair: tuple[str, str]) -> float:
    return min(ratios[ratio_name(*pair, "varied", count)] for count in CONNECTIONS)
