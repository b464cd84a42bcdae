"""Walk-forward metrics as terminal tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mlops.forecasting.intervals.levels import LEVELS
from mlops.management.walk_format import points, tenthousandths, with_bounds
from mlops.scorecard import counted, decimals, percent

WIDTH = 124
Figures = Mapping[str, Any]


def walk_report(figures: Figures, *, coloured: bool) -> str:
    """Return four tables, the news ablation if there is one, and what was left out."""
    console = Console(force_terminal=coloured, width=WIDTH)
    with console.capture() as printed:
        for table in (_direction, _probabilities, _risk, _intervals):
            console.print(table(figures["horizons"]))
        if figures["sentiment_ablation"]:
            console.print(_news(figures["sentiment_ablation"]))
        for sentence in closing_sentences(figures):
            console.print(sentence, soft_wrap=True, highlight=False)
    return printed.get()


def _direction(horizons: Figures) -> Table:
    rows = [
        (
            horizon,
            f"{one['n']:,}",
            with_bounds(one["accuracy"], one["accuracy_ci"]),
            percent(one["base_rate"]),
            percent(one["buy"]["accuracy"]),
            percent(one["buy"]["coverage"]),
            points(one["buy"]["lift_same_day"], one["buy"]["lift_ci"]),
            with_bounds(one["relative"]["accuracy"], one["relative"]["ci"]),
            percent(one["relative"]["coverage"]),
        )
        for horizon, one in horizons.items()
    ]
    headings = (
        "days",
        "n",
        "accuracy",
        "always up",
        "BUY acc.",
        "coverage",
        "lift, pts",
        "vs median",
        "coverage",
    )
    return _table("Direction, out of sample, with 95% confidence intervals over blocks of 60 sessions", headings, rows)


def _probabilities(horizons: Figures) -> Table:
    rows = [
        (
            horizon,
            tenthousandths(one["log_loss_vs_climatology"], one["log_loss_ci"]),
            percent(one["brier_skill"], decimals=2),
            decimals(one["auc"]),
            decimals(one["calibration_error"]),
            decimals(one["rank_ic"]),
            percent(one["price_mse_skill"], decimals=2),
        )
        for horizon, one in horizons.items()
    ]
    headings = ("days", "log-loss, e-4", "Brier skill", "AUC", "calibration", "rank IC", "price skill")
    return _table("P(up) relative to the base rate known at the origin; log-loss below 0 is better", headings, rows)


def _risk(horizons: Figures) -> Table:
    rows = []
    for horizon, one in horizons.items():
        rises, move = one["volatility_rises"], one["big_move"]
        rows.append(
            (
                horizon,
                percent(rises["accuracy"]),
                percent(rises["base_rate"]),
                decimals(rises["auc"]),
                percent(move["accuracy"]),
                percent(move["base_rate"]),
                decimals(move["auc"]),
                decimals(move["brier_skill"]),
            )
        )
    headings = ("days", "vol. accuracy", "actual", "AUC", "big move acc.", "actual", "AUC", "Brier skill")
    return _table("Risk; actual: share of forecasts in which volatility rose or the move was big", headings, rows)


def _intervals(horizons: Figures) -> Table:
    rows = [
        (
            horizon,
            f"{level}%",
            percent(one["coverage"], decimals=2),
            percent(one["worst_symbol"]),
            percent(one["worst_year"]),
            decimals(one["winkler_vs_garch"]),
            decimals(one["winkler_vs_constant"]),
            *(percent(coverage) for coverage in one["crashes"].values()),
        )
        for horizon, all_levels in horizons.items()
        for level in LEVELS
        for one in (all_levels[f"interval_{level}"],)
    ]
    headings = (
        "days", "level", "coverage", "worst stock", "worst year", "vs GARCH", "vs constant", "2008 crash", "2020 crash"
    )  # fmt: skip
    return _table("Intervals; Winkler scores relative to the benchmarks, below 1 is better", headings, rows)


def _news(ablation: Figures) -> Table:
    rows = [
        (
            horizon,
            f"{one['n']:,}",
            tenthousandths(one["log_loss_difference"], one["log_loss_ci"]),
            percent(one["volatility_accuracy"]),
            percent(one["volatility_accuracy_without"]),
            points(one["volatility_accuracy_difference"], one["volatility_ci"]),
        )
        for horizon, one in ablation["horizons"].items()
    ]
    headings = ("days", "n", "log-loss, e-4", "vol. acc. with", "without", "difference, points")
    trained = f"{ablation['fits_with_news']} of {counted(ablation['fits'], 'fit')} had enough news to train on"
    return _table(f"News: with minus without; {trained}", headings, rows)


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def closing_sentences(figures: Figures) -> list[str]:
    """Return sentences on the data, the rows left out and the training time."""
    panel = figures["panel"]
    left_out = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in panel["left_out"].items())
    return [
        f"{counted(panel['symbols'], 'symbol')}, {panel['sessions']:,} sessions from {panel['first']} to "
        f"{panel['last']}, {panel['bars']:,} bars; left out: {left_out or 'none'}.",
        f"Tested from {figures['test_from']} with {counted(figures['fits'], 'fit')}; "
        f"{_abstained(figures['abstained'])}.",
        f"{figures['seconds']:.0f} s in total. CPU time: {figures['train_seconds']:.0f} s for the last fit, "
        f"{figures['train_seconds_all_fits']:.0f} s for all fits.",
    ]


def _abstained(count: int) -> str:
    if not count:
        return "no abstentions"
    return f"{counted(count, 'abstention')} (inputs outside the training range)"
