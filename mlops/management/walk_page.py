"""Walk-forward metrics as a Markdown table: one metric a row, one horizon a column."""

from collections.abc import Callable, Iterator

from mlops.forecasting.figures import Figures
from mlops.management.walk_format import points, tenthousandths, with_bounds
from mlops.scorecard import NOT_MEASURED, decimals, percent

CellFormatter = Callable[[Figures], str]
CRASHES = ("2008", "2020")


def walk_page(figures: Figures) -> str:
    """Return the table without metrics that no horizon has; a missing value is a dash."""
    horizons = figures["horizons"]
    head = ["", *(f"{horizon} session{'s' * (horizon != '1')}" for horizon in horizons)]
    lines = [_line(head), "|" + "---|" * len(head)]
    for name, formatter in _rows():
        cells = [formatter(one) for one in horizons.values()]
        if any(cell != NOT_MEASURED for cell in cells):
            lines.append(_line([name, *cells]))
    return "\n".join(lines) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rows() -> Iterator[tuple[str, CellFormatter]]:
    yield from _direction()
    yield from _probabilities()
    yield from _risk()
    yield from _interval(80)
    yield from _interval(95, in_crashes=True)
    yield from _interval(99)


def _within(part: str, formatter: CellFormatter) -> CellFormatter:
    """Apply a formatter to one part of a horizon's metrics."""
    return lambda one: formatter(one[part])


def _direction() -> Iterator[tuple[str, CellFormatter]]:
    yield "forecasts", lambda one: f"{one['n']:,}"
    yield "accuracy, all days", _accuracy
    yield "always up", lambda one: percent(one["base_rate"])
    yield "BUY accuracy", _within("buy", _accuracy)
    yield "BUY coverage", _within("buy", _coverage)
    yield (
        "BUY lift over the same days, points",
        _within("buy", lambda buy: points(buy["lift_same_day"], buy["lift_ci"])),
    )
    yield "against the median, strongest 15%", _within("relative", _called_right)
    yield "coverage of those", _within("relative", _coverage)
    yield (
        "against the median, strongest 6%",
        _within("relative", _within("strongest", _called_right)),
    )
    yield "coverage of those", _within("relative", _within("strongest", _coverage))


def _accuracy(one: Figures) -> str:
    return with_bounds(one["accuracy"], one["accuracy_ci"])


def _called_right(calls: Figures) -> str:
    return with_bounds(calls["accuracy"], calls["ci"])


def _coverage(calls: Figures) -> str:
    return percent(calls["coverage"]) if calls["n"] else NOT_MEASURED


def _probabilities() -> Iterator[tuple[str, CellFormatter]]:
    yield (
        "log-loss minus climatology, e-4",
        lambda one: tenthousandths(one["log_loss_vs_climatology"], one["log_loss_ci"]),
    )
    yield "Brier skill", lambda one: percent(one["brier_skill"], decimals=2)
    yield "AUC", _auc
    yield "calibration error", lambda one: decimals(one["calibration_error"], decimals=4)
    yield "rank IC", lambda one: decimals(one["rank_ic"])
    yield "price, MSE skill", lambda one: percent(one["price_mse_skill"], decimals=2)


def _auc(one: Figures) -> str:
    return decimals(one["auc"])


def _risk() -> Iterator[tuple[str, CellFormatter]]:
    for name, head in (("volatility direction", "volatility_rises"), ("big move", "big_move")):
        yield f"{name}: accuracy", _within(head, lambda side: percent(side["accuracy"]))
        yield f"{name}: actual", _within(head, lambda side: percent(side["base_rate"]))
        yield f"{name}: AUC", _within(head, _auc)
    yield "big move: Brier skill", _within("big_move", lambda move: decimals(move["brier_skill"]))


def _interval(level: int, *, in_crashes: bool = False) -> Iterator[tuple[str, CellFormatter]]:
    part = f"interval_{level}"
    yield f"{level}% interval coverage", _within(part, lambda it: percent(it["coverage"], decimals=2))
    for group in ("symbol", "year"):
        yield f"worst {group}", _within(part, _worst(group))
    if in_crashes:
        for year in CRASHES:
            yield f"in the crash of {year}", _within(part, _within("crashes", _crash(year)))
    for benchmark, name in (("garch", "GARCH"), ("constant", "constant sigma")):
        yield f"{level}% Winkler, relative to {name}", _within(part, _winkler(benchmark))


def _worst(group: str) -> CellFormatter:
    return lambda it: f"{percent(it[f'worst_{group}'])} ({it[f'worst_{group}_name']})"


def _crash(year: str) -> CellFormatter:
    return lambda crashes: percent(crashes[year])


def _winkler(benchmark: str) -> CellFormatter:
    return lambda it: decimals(it[f"winkler_vs_{benchmark}"])
