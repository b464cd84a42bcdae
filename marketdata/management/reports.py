"""Terminal reports of the commands: ingestion runs as a table, followed by notes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from django.core.management.base import OutputWrapper
from rich.console import Console
from rich.table import Table

from marketdata.models import IngestionRun
from marketdata.services.ingestion import UNCHANGED

REPORT_WIDTH = 110
COUNTS = ("new", "changed", "unchanged", "quarantined")


def print_report(stdout: OutputWrapper, table: Table | None, notes: Iterable[str]) -> None:
    """Write the table and one line per note."""
    tables = [] if table is None else [table]
    stdout.write(rendered([*tables, *notes], coloured=stdout.isatty(), width=REPORT_WIDTH))


def rendered(parts: Iterable[Table | str], *, coloured: bool, width: int | None) -> str:
    """Return the tables as text and the sentences as they are, in the given order."""
    console = Console(force_terminal=coloured, width=width)
    with console.capture() as printed:
        for part in parts:
            if isinstance(part, str):
                console.print(part, soft_wrap=True, highlight=False, markup=False)
            else:
                console.print(part)
    return printed.get()


def ingestion_table(runs: Sequence[IngestionRun], newest: Mapping[int, date]) -> Table:
    """Build a table with one row per run; `newest` maps instrument pks to their last stored session."""
    table = Table("symbol", "source")
    for name in COUNTS:
        table.add_column(name, justify="right")
    table.add_column("newest session")
    for run in runs:
        session = newest.get(run.instrument_id)
        table.add_row(
            run.instrument.symbol,
            run.provider or "none",
            *(f"{getattr(run, f'bars_{name}'):,}" for name in COUNTS),
            session.isoformat() if session else "none",
        )
    return table


def ingestion_notes(runs: Sequence[IngestionRun]) -> list[str]:
    """List each run detail once with its symbols; a single sentence if nothing changed."""
    symbols_by_detail: dict[str, list[str]] = {}
    for run in runs:
        symbols_by_detail.setdefault(run.detail, []).append(run.instrument.symbol)
    if all(run.detail == UNCHANGED for run in runs):
        return ["Nothing changed: all bars were already stored."]
    return [f"{', '.join(symbols)}: {detail}" for detail, symbols in symbols_by_detail.items() if detail != UNCHANGED]
