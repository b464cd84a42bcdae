"""Bars from a file: read, sorted by instrument, and taken in like the bars of any other source."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from marketdata.calendars import exchange_day, latest_session
from marketdata.errors import BarFileUnusable, SymbolMalformed, SymbolUnknown
from marketdata.models import DailyBar, IngestionRun, Instrument, QuarantinedBar
from marketdata.providers.bar_file import FileBar, OddRow, read_bar_file
from marketdata.providers.base import BarRecord, DailyHistory
from marketdata.providers.failover import AskedAhead
from marketdata.selectors import canonical_symbol, instrument_by_symbol
from marketdata.services.ingestion import ingest_instrument

SOURCE = "import"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of a file: a run for each instrument, the bars that are not believed, the rows that are none."""

    rows: int
    runs: list[IngestionRun] = field(default_factory=list)
    refused: list[QuarantinedBar] = field(default_factory=list)
    odd_rows: list[OddRow] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    not_closed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every row was about an instrument that took its bars."""
        failed = any(run.status == IngestionRun.Status.FAILED for run in self.runs)
        return not (failed or self.odd_rows or self.unknown)


def import_bars(
    *, path: Path, now: datetime, add_on: str = "", tell: Progress = lambda done, total: None
) -> ImportReport:
    """Store the believable bars of the file with the source `import`; a second call changes nothing.

    Instruments that do not exist are named in the report, or added to the exchange `add_on`. `tell` hears how many
    instruments of how many are done. Raises BarFileUnusable before anything is stored.
    """
    rows = list(read_bar_file(path))
    if not rows:
        raise BarFileUnusable(path.name, "it has a header and no rows")
    report = ImportReport(rows=len(rows), odd_rows=[row for row in rows if isinstance(row, OddRow)])
    found = _by_instrument([row for row in rows if isinstance(row, FileBar)], report, add_on=add_on)
    not_closed = 0
    for done, (instrument, bars) in enumerate(found.items(), start=1):
        not_closed += _not_closed(instrument, bars, now)
        run = _taken_in(instrument, bars, now)
        report.runs.append(run)
        if run.bars_quarantined:
            report.refused.extend(_refused(instrument, bars, now))
        tell(done, len(found))
    return ImportReport(report.rows, report.runs, report.refused, report.odd_rows, report.unknown, not_closed)


def _by_instrument(rows: Sequence[FileBar], report: ImportReport, *, add_on: str) -> dict[Instrument, list[BarRecord]]:
    """The bars of each instrument in the order of the file; symbols that are none are noted in the report."""
    known: dict[str, Instrument | None] = {}
    found: dict[Instrument, list[BarRecord]] = {}
    for row in rows:
        try:
            symbol = canonical_symbol(row.symbol)
        except SymbolMalformed as error:
            report.odd_rows.append(OddRow(row.line, str(error)))
            continue
        if symbol not in known:
            known[symbol] = _instrument(symbol, add_on)
        instrument = known[symbol]
        if instrument is None:
            report.unknown[symbol] = report.unknown.get(symbol, 0) + 1
        else:
            found.setdefault(instrument, []).append(row.bar)
    return found


def _instrument(symbol: str, add_on: str) -> Instrument | None:
    try:
        return instrument_by_symbol(symbol)
    except SymbolUnknown:
        return Instrument.objects.create(symbol=symbol, mic=add_on, name=symbol) if add_on else None


def _taken_in(instrument: Instrument, bars: Sequence[BarRecord], now: datetime) -> IngestionRun:
    """One run; a series that the file tells backwards, as many files do, is turned round first."""
    backwards = all(later.session < earlier.session for earlier, later in pairwise(bars))
    closed = latest_session(instrument.mic, now)
    basis = max((bar.session for bar in bars if bar.session <= closed), default=closed)
    if instrument.source == SOURCE and instrument.basis_date is not None:
        basis = max(basis, instrument.basis_date)
    history = DailyHistory(list(reversed(bars)) if backwards else list(bars), (), basis)
    return ingest_instrument(
        instrument=instrument,
        through=date.max,
        providers=[AskedAhead(SOURCE, {instrument.symbol: history})],
        now=now,
    )


def _not_closed(instrument: Instrument, bars: Sequence[BarRecord], now: datetime) -> int:
    """How many bars are of sessions that are still going on."""
    closed, today = latest_session(instrument.mic, now), exchange_day(instrument.mic, now)
    return sum(closed < bar.session <= today for bar in bars)


def _refused(instrument: Instrument, bars: Sequence[BarRecord], now: datetime) -> list[QuarantinedBar]:
    """What the quality rules refused of these bars, now or when they were offered before."""
    sessions = {bar.session for bar in bars}
    stored = set(DailyBar.objects.filter(instrument=instrument).values_list("session", flat=True))
    quarantined = QuarantinedBar.objects.filter(instrument=instrument, source=SOURCE, session__in=sessions)
    return [
        one
        for one in quarantined.select_related("instrument").order_by("session", "rule")
        if one.seen_at == now or one.session not in stored
    ]
