"""Bars from a file: read as columns, gathered by instrument, and taken in like the bars of any other source."""

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
from marketdata.providers.bar_file import OddRow, read_chunks
from marketdata.selectors import instrument_by_symbol
from marketdata.services.bulk_import import SourceColumns, import_columns
from marketdata.services.parallel import map_in_threads

SOURCE = "import"
# So many of each kind are told one by one, the rest is counted.
KEPT = 200
# What waits on disk between the file and its instruments: a file is in any order, and may be larger than the memory.
ROW = np.dtype([("symbol", "<i8"), ("session", "<M8[D]"), *((name, "<f8") for name in COLUMNS[1:])])
Progress = Callable[[int, int], None]
Rows = NDArray[np.void]


@dataclass(slots=True)
class ImportReport:
    """What became of a file: a run for each instrument, the bars that are not believed, the rows that are none.

    The first 200 refused bars and odd rows are kept; the others are counted.
    """

    rows: int = 0
    runs: list[IngestionRun] = field(default_factory=list)
    refused: list[QuarantinedBar] = field(default_factory=list)
    more_refused: Counter[str] = field(default_factory=Counter)
    odd_rows: list[OddRow] = field(default_factory=list)
    more_odd_rows: int = 0
    unknown: dict[str, int] = field(default_factory=dict)
    not_closed: int = 0
    after_delisting: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every row was about an instrument that took its bars."""
        failed = any(run.status == IngestionRun.Status.FAILED for run in self.runs)
        return not (failed or self.odd_rows or self.unknown)


@dataclass(frozen=True, slots=True)
class _TakenIn:
    """One instrument's run, and how many of its rows were left out because their session is none of its closed ones."""

    run: IngestionRun
    not_closed: int
    after_delisting: int


def import_bars(
    *, path: Path, now: datetime, add_to_exchange: str = "", tell: Progress = lambda done, total: None
) -> ImportReport:
    """Store the believable bars of the file with the source `import`; a second call changes nothing.

    Instruments that do not exist are named in the report, or added to the exchange `add_to_exchange`. Several are
    imported at once, each in its own transaction. `tell` hears how many instruments of how many are done. Raises
    BarFileInvalid before anything is stored.
    """
    report = ImportReport()
    with TemporaryFile() as waiting:
        symbols, rows = _gathered(path, waiting, report)
        if not report.rows:
            raise BarFileInvalid(path.name, "it has a header and no rows")
        found = _by_instrument(symbols, rows, report, add_to_exchange=add_to_exchange)

        def taken_in(instrument: Instrument) -> _TakenIn:
            return _taken_in(instrument, _in_order(rows[found[instrument]]), now)

        for done, (instrument, taken) in enumerate(zip(found, map_in_threads(taken_in, list(found)), strict=True), 1):
            report.runs.append(taken.run)
            report.not_closed += taken.not_closed
            report.after_delisting += taken.after_delisting
            if taken.run.bars_quarantined:
                _note_refused(report, instrument, rows["session"][found[instrument]], now)
            tell(done, len(found))
    return report


def _gathered(path: Path, waiting: IO[bytes], report: ImportReport) -> tuple[list[str], Rows]:
    """The symbols of the file, and its bars on disk in the order of the file; odd rows are noted in the report."""
    reader, count = CellReader(), 0
    for chunk in read_chunks(path):
        read = reader.read(chunk)
        rows = np.empty(len(read.bars), dtype=ROW)
        rows["symbol"] = read.symbol
        for name in COLUMNS:
            rows[name] = getattr(read.bars, name)
        waiting.write(rows.tobytes())
        count += len(rows)
        report.rows += len(rows) + len(read.odd)
        _note_odd(report, read.odd)
    waiting.flush()
    return reader.symbols, np.memmap(waiting, dtype=ROW, mode="r", shape=(count,)) if count else np.empty(0, dtype=ROW)


def _note_odd(report: ImportReport, odd: list[OddRow]) -> None:
    room = KEPT - len(report.odd_rows)
    report.odd_rows += sorted(odd, key=lambda row: row.line)[:room]
    report.more_odd_rows += max(len(odd) - room, 0)


def _by_instrument(
    symbols: list[str], rows: Rows, report: ImportReport, *, add_to_exchange: str
) -> dict[Instrument, NDArray[np.intp]]:
    """The places of each instrument's rows in the order of the file; symbols that are none are noted in the report."""
    order = np.argsort(rows["symbol"], kind="stable")
    parts = np.split(order, np.searchsorted(rows["symbol"], np.arange(1, len(symbols)), sorter=order))
    found: dict[Instrument, NDArray[np.intp]] = {}
    for symbol, places in zip(symbols, parts, strict=True):
        if not len(places):
            continue
        instrument = _instrument(symbol, add_to_exchange)
        if instrument is None:
            report.unknown[symbol] = len(places)
        elif instrument in found:
            found[instrument] = np.sort(np.concatenate([found[instrument], places]))
        else:
            found[instrument] = places
    return found


def _instrument(symbol: str, add_to_exchange: str) -> Instrument | None:
    try:
        return instrument_by_symbol(symbol)
    except SymbolUnknown:
        return Instrument.objects.create(symbol=symbol, mic=add_to_exchange, name=symbol) if add_to_exchange else None


def _in_order(rows: Rows) -> BarColumns:
    """The rows as columns; a series that the file tells backwards, as many files do, is turned round."""
    if len(rows) > 1 and (np.diff(rows["session"]) < np.timedelta64(0, "D")).all():
        rows = rows[::-1]
    return BarColumns(**{name: np.ascontiguousarray(rows[name]) for name in COLUMNS})


def _taken_in(instrument: Instrument, columns: BarColumns, now: datetime) -> _TakenIn:
    """Sessions that are still going on, and those after a delisting, are left out and counted."""
    closed, today = latest_session(instrument.mic, now), exchange_day(instrument.mic, now)
    last_final = min(closed, instrument.delisted_on or date.max)
    left_out = (columns.session > np.datetime64(last_final)) & (columns.session <= np.datetime64(today))
    not_closed = left_out & (columns.session > np.datetime64(closed))
    wanted = columns.select(~left_out)
    told = wanted.session[wanted.session <= np.datetime64(closed)]
    basis = told.max().item() if len(told) else closed
    if instrument.source == SOURCE and instrument.basis_date is not None:
        basis = max(basis, instrument.basis_date)
    offered = SourceColumns(SOURCE, wanted, basis, _known_actions(instrument))
    run = import_columns(instrument=instrument, offered=offered, now=now)
    return _TakenIn(run, int(not_closed.sum()), int((left_out & ~not_closed).sum()))


def _known_actions(instrument: Instrument) -> list[CorporateActionRecord]:
    """The splits and dividends that are stored: a file tells none, and its bars are judged against them."""
    return [
        CorporateActionRecord(one.session, "split" if one.kind == CorporateAction.Kind.SPLIT else "dividend", one.value)
        for one in CorporateAction.objects.filter(instrument=instrument).order_by("session", "kind")
    ]


def _note_refused(
    report: ImportReport, instrument: Instrument, sessions: NDArray[np.datetime64], now: datetime
) -> None:
    """What the quality rules refused of the bars of these sessions, now or when they were offered before."""
    for one in _refused(instrument, set(sessions.tolist()), now):
        if len(report.refused) < KEPT:
            report.refused.append(one)
        else:
            report.more_refused[one.rule] += 1


def _refused(instrument: Instrument, sessions: set[Any], now: datetime) -> Iterator[QuarantinedBar]:
    stored = set(DailyBar.objects.filter(instrument=instrument).values_list("session", flat=True))
    quarantined = QuarantinedBar.objects.filter(instrument=instrument, source=SOURCE).select_related("instrument")
    for one in quarantined.order_by("session", "rule").iterator():
        if one.session in sessions and (one.seen_at == now or one.session not in stored):
            yield one
