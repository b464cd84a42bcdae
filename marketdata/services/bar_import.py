"""Import bars from a file: read columns, group by instrument, and store like bars of any other source."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from marketdata.bar_columns import COLUMNS, BarColumns
from marketdata.calendars import exchange_day, latest_session
from marketdata.errors import BarFileInvalid, SymbolUnknown
from marketdata.models import CorporateAction, DailyBar, IngestionRun, Instrument, QuarantinedBar
from marketdata.provider_records import CorporateActionRecord
from marketdata.providers.bar_cells import CellReader
from marketdata.providers.bar_file import InvalidRow, read_chunks
from marketdata.selectors import instrument_by_symbol
from marketdata.services.bulk_import import SourceColumns, import_columns
from marketdata.services.parallel import map_in_threads

SOURCE = "import"
# Rows and bars reported individually per kind; the rest is only counted.
MAX_REPORTED = 200
# Rows are spooled to disk before grouping: the file has any order and may exceed memory.
ROW = np.dtype([("symbol", "<i8"), ("session", "<M8[D]"), *((name, "<f8") for name in COLUMNS[1:])])
Progress = Callable[[int, int], None]
Rows = NDArray[np.void]


@dataclass(slots=True)
class ImportReport:
    """Result of an import: one run per instrument, rejected bars, invalid rows.

    The first 200 rejected bars and invalid rows are listed; the others are counted.
    """

    rows: int = 0
    runs: list[IngestionRun] = field(default_factory=list)
    rejected: list[QuarantinedBar] = field(default_factory=list)
    more_rejected: Counter[str] = field(default_factory=Counter)
    invalid_rows: list[InvalidRow] = field(default_factory=list)
    more_invalid_rows: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    not_closed: int = 0
    after_delisting: int = 0

    @property
    def is_complete(self) -> bool:
        """Return whether every row was a bar of an instrument whose run succeeded."""
        failed = any(run.status == IngestionRun.Status.FAILED for run in self.runs)
        return not (failed or self.invalid_rows or self.unknown)


@dataclass(frozen=True, slots=True)
class _InstrumentImport:
    """One instrument's run, and the number of rows skipped for open or delisted sessions."""

    run: IngestionRun
    not_closed: int
    after_delisting: int


def import_bars(
    *, path: Path, now: datetime, add_to_exchange: str = "", on_progress: Progress = lambda done, total: None
) -> ImportReport:
    """Store the valid bars of the file with the source `import`. Idempotent.

    Unknown symbols are reported, or added to the exchange `add_to_exchange`. Instruments are imported in parallel, each
    in its own transaction. `on_progress` receives the completed and total numbers of instruments. Raises
    BarFileInvalid before anything is stored.
    """
    report = ImportReport()
    with TemporaryFile() as spool:
        symbols, rows = _read_rows(path, spool, report)
        if not report.rows:
            raise BarFileInvalid(path.name, "it has a header and no rows")
        found = _group_by_instrument(symbols, rows, report, add_to_exchange=add_to_exchange)

        def import_one(instrument: Instrument) -> _InstrumentImport:
            return _import_instrument(instrument, _chronological(rows[found[instrument]]), now)

        for done, (instrument, done_import) in enumerate(
            zip(found, map_in_threads(import_one, list(found)), strict=True), 1
        ):
            report.runs.append(done_import.run)
            report.not_closed += done_import.not_closed
            report.after_delisting += done_import.after_delisting
            if done_import.run.bars_quarantined:
                _report_rejected(report, instrument, rows["session"][found[instrument]], now)
            on_progress(done, len(found))
    return report


def _read_rows(path: Path, spool: IO[bytes], report: ImportReport) -> tuple[list[str], Rows]:
    """Return the symbols, and the rows on disk in file order; invalid rows go to the report."""
    reader, count = CellReader(), 0
    for chunk in read_chunks(path):
        read = reader.read(chunk)
        rows = np.empty(len(read.bars), dtype=ROW)
        rows["symbol"] = read.symbol
        for name in COLUMNS:
            rows[name] = getattr(read.bars, name)
        spool.write(rows.tobytes())
        count += len(rows)
        report.rows += len(rows) + len(read.invalid)
        _report_invalid(report, read.invalid)
    spool.flush()
    return reader.symbols, np.memmap(spool, dtype=ROW, mode="r", shape=(count,)) if count else np.empty(0, dtype=ROW)


def _report_invalid(report: ImportReport, invalid: list[InvalidRow]) -> None:
    room = MAX_REPORTED - len(report.invalid_rows)
    report.invalid_rows += sorted(invalid, key=lambda row: row.line)[:room]
    report.more_invalid_rows += max(len(invalid) - room, 0)


def _group_by_instrument(
    symbols: list[str], rows: Rows, report: ImportReport, *, add_to_exchange: str
) -> dict[Instrument, NDArray[np.intp]]:
    """Return each instrument's row indices in file order; unknown symbols go to the report."""
    order = np.argsort(rows["symbol"], kind="stable")
    parts = np.split(order, np.searchsorted(rows["symbol"], np.arange(1, len(symbols)), sorter=order))
    found: dict[Instrument, NDArray[np.intp]] = {}
    for symbol, indices in zip(symbols, parts, strict=True):
        if not len(indices):
            continue
        instrument = _instrument(symbol, add_to_exchange)
        if instrument is None:
            report.unknown[symbol] = len(indices)
        elif instrument in found:
            found[instrument] = np.sort(np.concatenate([found[instrument], indices]))
        else:
            found[instrument] = indices
    return found


def _instrument(symbol: str, add_to_exchange: str) -> Instrument | None:
    try:
        return instrument_by_symbol(symbol)
    except SymbolUnknown:
        return Instrument.objects.create(symbol=symbol, mic=add_to_exchange, name=symbol) if add_to_exchange else None


def _chronological(rows: Rows) -> BarColumns:
    """Convert rows to columns; a series in reverse order is reversed."""
    if len(rows) > 1 and (np.diff(rows["session"]) < np.timedelta64(0, "D")).all():
        rows = rows[::-1]
    return BarColumns(**{name: np.ascontiguousarray(rows[name]) for name in COLUMNS})


def _import_instrument(instrument: Instrument, columns: BarColumns, now: datetime) -> _InstrumentImport:
    """Import one instrument; open sessions and sessions after a delisting are skipped and counted."""
    closed, today = latest_session(instrument.mic, now), exchange_day(instrument.mic, now)
    last_final = min(closed, instrument.delisted_on or date.max)
    skipped = (columns.session > np.datetime64(last_final)) & (columns.session <= np.datetime64(today))
    not_closed = skipped & (columns.session > np.datetime64(closed))
    imported = columns.select(~skipped)
    closed_sessions = imported.session[imported.session <= np.datetime64(closed)]
    basis = closed_sessions.max().item() if len(closed_sessions) else closed
    if instrument.source == SOURCE and instrument.basis_date is not None:
        basis = max(basis, instrument.basis_date)
    offered = SourceColumns(SOURCE, imported, basis, _stored_actions(instrument))
    run = import_columns(instrument=instrument, offered=offered, now=now)
    return _InstrumentImport(run, int(not_closed.sum()), int((skipped & ~not_closed).sum()))


def _stored_actions(instrument: Instrument) -> list[CorporateActionRecord]:
    """Return the stored splits and dividends, against which a file's bars are checked."""
    return [
        CorporateActionRecord(one.session, "split" if one.kind == CorporateAction.Kind.SPLIT else "dividend", one.value)
        for one in CorporateAction.objects.filter(instrument=instrument).order_by("session", "kind")
    ]


def _report_rejected(
    report: ImportReport, instrument: Instrument, sessions: NDArray[np.datetime64], now: datetime
) -> None:
    """Report the quarantined bars of these sessions, from this or an earlier import."""
    for one in _quarantined(instrument, set(sessions.tolist()), now):
        if len(report.rejected) < MAX_REPORTED:
            report.rejected.append(one)
        else:
            report.more_rejected[one.rule] += 1


def _quarantined(instrument: Instrument, sessions: set[Any], now: datetime) -> Iterator[QuarantinedBar]:
    stored = set(DailyBar.objects.filter(instrument=instrument).values_list("session", flat=True))
    quarantined = QuarantinedBar.objects.filter(instrument=instrument, source=SOURCE).select_related("instrument")
    for one in quarantined.order_by("session", "rule").iterator():
        if one.session in sessions and (one.seen_at == now or one.session not in stored):
            yield one
