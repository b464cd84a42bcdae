"""Walk-forward metrics as terminal tables."""

from collections.abc import Sequence

from rich.table import Table

from marketdata.management.reports import rendered
from mlops.forecasting.figures import Figures
from mlops.management.walk_rows import news_rows, walk_rows
from mlops.scorecard import counted

WIDTH = 124


def walk_report(figures: Figures, *, coloured: bool) -> str:
    """Return the metrics, the news ablation if there is one, and what was left out."""
    horizons, ablation = figures["horizons"], figures["sentiment_ablation"]
    title = "Out of sample, with 95% confidence intervals over blocks of 60 sessions; Winkler below 1 is better"
    tables = [_table(title, horizons, walk_rows(horizons))]
    if ablation:
        trained = f"{ablation['fits_with_news']} of {counted(ablation['fits'], 'fit')} had enough news to train on"
        tables.append(_table(f"News; {trained}", ablation["horizons"], news_rows(ablation["horizons"])))
    return rendered([*tables, *closing_sentences(figures)], coloured=coloured, width=WIDTH)


def _table(title: str, horizons: Figures, rows: Sequence[Sequence[str]]) -> Table:
    table = Table("trading days ahead", title=title, title_justify="left")
    for horizon in horizons:
        table.add_column(horizon, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def closing_sentences(figures: Figures) -> list[str]:
    """Return sentences on the data, the rows left out and the training time."""
    panel = figures["panel"]
    left_out = ", ".join(f"{count:,} {rule.replace('_', ' ')}" for rule, count in panel["left_out"].items())
    abstained = f"{counted(figures['abstained'], 'abstention')} (inputs outside the training range)"
    return [
        f"{counted(panel['symbols'], 'symbol')}, {panel['sessions']:,} sessions from {panel['first']} to "
        f"{panel['last']}, {panel['bars']:,} bars; left out: {left_out or 'none'}.",
        f"Tested from {figures['test_from']} with {counted(figures['fits'], 'fit')}; "
        f"{abstained if figures['abstained'] else 'no abstentions'}.",
        f"{figures['seconds']:.0f} s in total. CPU time: {figures['train_seconds']:.0f} s for the last fit, "
        f"{figures['train_seconds_all_fits']:.0f} s for all fits.",
    ]
