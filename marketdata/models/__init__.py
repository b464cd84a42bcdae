"""What the market did: instruments, their daily bars, what was refused and how each ingestion went."""

from marketdata.models.backfill import Backfill
from marketdata.models.bar_block import BarBlock
from marketdata.models.corporate_action import CorporateAction
from marketdata.models.daily_bar import DailyBar
from marketdata.models.ingestion_run import IngestionRun
from marketdata.models.instrument import Instrument
from marketdata.models.quarantined_bar import QuarantinedBar
from marketdata.models.symbol_alias import SymbolAlias

__all__ = [
    "Backfill",
    "BarBlock",
    "CorporateAction",
    "DailyBar",
    "IngestionRun",
    "Instrument",
    "QuarantinedBar",
    "SymbolAlias",
]
