"""How ingestions went, as a table for a terminal."""

from collections.abc import Mapping, Sequence
from datetime import date

from rich.table import Table

from marketdata.models import IngestionRun

COUNTS = ("new", "changed", "unchanged", "quarantined")


def ingestion_table(runs: Sequence[IngestionRun], newest: Mapping[int, date]) -> Table:
    """One row a run; `newest` is the last stored session by instrument pk."""
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


def closing_sentences(runs: Sequence[IngestionRun]) -> list[str]:
    """What the table does not say: why sources failed, and that nothing changed where nothing did."""
    notes: dict[str, list[str]] = {}
    for run in runs:
        notes.setdefault(run.detail, []).append(run.instrument.symbol)
    if all(run.detail == "Nothing changed." for run in runs):
        return ["Nothing changed: every bar was stored already."]
    return [f"{', '.join(symbols)}: {detail}" for detail, symbols in notes.items() if detail != "Nothing changed."]
