"""Walk-forward metrics as rows of text: one metric a row, one horizon a column."""

from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any

from mlops.forecasting.figures import Figures
from mlops.forecasting.intervals.levels import LEVELS
from mlops.scorecard import NOT_MEASURED

Cell = Callable[[Figures], str]
Row = tuple[str, Cell]
CRASHES = ("2008", "2020")


def walk_rows(horizons: Mapping[str, Figures]) -> list[list[str]]:
    """Return the name of each metric with its text by horizon, without metrics that no horizon has."""
    return _texts(_metrics(), horizons)


def news_rows(horizons: Mapping[str, Figures]) -> list[list[str]]:
    """Return the rows of the news ablation."""
    return _texts(
        [
            ("forecasts", _count("n")),
            ("log-loss, with minus without, e-4", _tenthousandths("log_loss_difference", "log_loss_ci")),
            ("volatility direction: accuracy with news", _share("volatility_accuracy")),
            ("volatility direction: accuracy without", _share("volatility_accuracy_without")),
            ("difference, points", _points("volatility_accuracy_difference", "volatility_ci")),
        ],
        horizons,
    )


def walk_page(figures: Figures) -> str:
    """Return the rows as a Markdown table."""
    horizons = figures["horizons"]
    head = ["", *(f"{horizon} session{'s' * (horizon != '1')}" for horizon in horizons)]
    lines = [head, ["---"] * len(head), *walk_rows(horizons)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _texts(rows: Iterator[Row] | list[Row], horizons: Mapping[str, Figures]) -> list[list[str]]:
    cells = [[name, *(cell(figures) for figures in horizons.values())] for name, cell in rows]
    return [row for row in cells if any(text != NOT_MEASURED for text in row[1:])]


def _metrics() -> Iterator[Row]:
    yield "forecasts", _count("n")
    yield "accuracy, all days", _share("accuracy", "accuracy_ci")
    yield "always up", _share("base_rate")
    yield "BUY accuracy", _share("buy.accuracy", "buy.accuracy_ci")
    yield "BUY coverage", _coverage("buy")
    yield "BUY lift over the same days, points", _points("buy.lift_same_day", "buy.lift_ci")
    for share, part in (("15%", "relative"), ("6%", "relative.strongest")):
        yield f"against the median, strongest {share}", _share(f"{part}.accuracy", f"{part}.ci")
        yield "coverage of those", _coverage(part)
    yield "log-loss minus climatology, e-4", _tenthousandths("log_loss_vs_climatology", "log_loss_ci")
    yield "Brier skill", _share("brier_skill", form=".2f")
    yield "AUC", _number("auc")
    yield "calibration error", _number("calibration_error", form=".4f")
    yield "rank IC", _number("rank_ic")
    yield "price, MSE skill", _share("price_mse_skill", form=".2f")
    for name, head in (("volatility direction", "volatility_rises"), ("big move", "big_move")):
        yield f"{name}: accuracy", _share(f"{head}.accuracy")
        yield f"{name}: actual", _share(f"{head}.base_rate")
        yield f"{name}: AUC", _number(f"{head}.auc")
    yield "big move: Brier skill", _number("big_move.brier_skill")
    for level in LEVELS:
        yield from _interval(f"{level}%", f"interval_{level}", crashes=CRASHES if level == 95 else ())


def _interval(name: str, part: str, *, crashes: tuple[str, ...]) -> Iterator[Row]:
    yield f"{name} interval coverage", _share(f"{part}.coverage", form=".2f")
    for group in ("symbol", "year"):
        yield f"worst {group}", _worst(f"{part}.worst_{group}")
    for year in crashes:
        yield f"in the crash of {year}", _share(f"{part}.crashes.{year}")
    for benchmark, words in (("garch", "GARCH"), ("constant", "constant sigma")):
        yield f"{name} Winkler, relative to {words}", _number(f"{part}.winkler_vs_{benchmark}")


def _figure(path: str, bounds: str = "", *, scale: float, form: str, unit: str = "") -> Cell:
    """Format the figure at a dotted path times `scale`, followed by its bounds in brackets."""

    def cell(figures: Figures) -> str:
        value, limits = _at(figures, path), _at(figures, bounds) if bounds else None
        if value is None:
            return NOT_MEASURED
        text = f"{scale * value:{form}}{unit}"
        return f"{text} [{', '.join(f'{scale * limit:{form}}' for limit in limits)}]" if limits else text

    return cell


def _at(figures: Figures, path: str) -> Any:
    return reduce(lambda part, name: part[name], path.split("."), figures)


def _count(path: str) -> Cell:
    return _figure(path, scale=1, form=",")


def _share(path: str, bounds: str = "", *, form: str = ".1f") -> Cell:
    return _figure(path, bounds, scale=100, form=form, unit="%")


def _points(path: str, bounds: str) -> Cell:
    return _figure(path, bounds, scale=100, form="+.1f")


def _tenthousandths(path: str, bounds: str) -> Cell:
    return _figure(path, bounds, scale=10_000, form="+.1f")


def _number(path: str, *, form: str = ".3f") -> Cell:
    return _figure(path, scale=1, form=form)


def _coverage(part: str) -> Cell:
    """Format the share of forecasts with a signal; not measured without any."""
    share = _share(f"{part}.coverage")
    return lambda figures: share(figures) if _at(figures, f"{part}.n") else NOT_MEASURED


def _worst(path: str) -> Cell:
    share = _share(path)
    return lambda figures: f"{share(figures)} ({_at(figures, f'{path}_name')})"
