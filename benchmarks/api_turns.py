"""Everybody serves the same call in turn, at each number of connections, by key and by token."""

from collections.abc import Mapping
from statistics import median

from benchmarks.api_load import Load, Wrk
from benchmarks.api_scene import Scene
from benchmarks.api_servers import Server

CONNECTIONS = (16, 64)
MEANS = ("key", "token")
PATH = "/api/v1/predict?symbol=AAPL&horizon=5"
SERVERS = ("bare", "fastapi", "web", "edge")
# Server, key or token, connections.
Case = tuple[str, str, int]
Loads = dict[Case, list[Load]]


def taken(wrk: Wrk, servers: Mapping[str, Server], scene: Scene, rounds: int) -> Loads:
    """`rounds` turns of each; raises SystemExit when somebody answered anything but success."""
    loads: Loads = {}
    for _ in range(rounds):
        for connections in CONNECTIONS:
            for means in MEANS:
                for name in SERVERS:
                    load = wrk.load(servers[name], PATH, scene.headers(name, means), connections)
                    if load.failed:
                        raise SystemExit(f"{name} failed {load.failed} times at {connections} connections.")
                    loads.setdefault((name, means, connections), []).append(load)
    return loads


def ratios_of(loads: Loads) -> dict[str, float]:
    """Medians, over the rounds, of what one served for each call that another did in the same round."""
    ratios: dict[str, float] = {}
    for means, suffix in (("key", ""), ("token", "_jwt")):
        for count in CONNECTIONS:
            for name, other in (("web", "fastapi"), ("edge", "fastapi"), ("edge", "bare")):
                ours, theirs = loads[name, means, count], loads[other, means, count]
                pairs = list(zip(ours, theirs, strict=True))
                ratios[f"{name}_vs_{other}{suffix}_c{count}"] = median(a.per_second / b.per_second for a, b in pairs)
                if other == "fastapi":
                    ratios[f"{name}_p95_vs_fastapi{suffix}_c{count}"] = median(a.p95_ms / b.p95_ms for a, b in pairs)
    return ratios


def middle(turns: list[Load], figure: str) -> float:
    """The median of a figure over the rounds."""
    return float(median(getattr(turn, figure) for turn in turns))


def figures_of(loads: Loads) -> dict[str, float]:
    """Medians over the rounds."""
    figures: dict[str, float] = {}
    for (name, means, count), turns in loads.items():
        for figure in ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_us"):
            figures[f"{name}_{means}_c{count}_{figure}"] = middle(turns, figure)
    return figures
