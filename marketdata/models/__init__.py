"""Tables of instruments, bars, quotes, ingestion runs, articles and daily sentiment.

Imported by every layer of marketdata and by higher apps; rules across rows are in services.
"""

from marketdata.models.bars import BarBlock, CorporateAction, DailyBar, QuarantinedBar
from marketdata.models.history_review import HistoryReview
from marketdata.models.ingestion import Backfill, IngestionRun
from marketdata.models.instruments import Instrument, SymbolAlias
from marketdata.models.news import ArticleMention, MentionScore, NewsArticle, SentimentDay
from marketdata.models.provider_health import ProviderHealth
from marketdata.models.quote import Quote

__all__ = [
    "ArticleMention",
    "Backfill",
    "BarBlock",
    "CorporateAction",
    "DailyBar",
    "HistoryReview",
    "IngestionRun",
    "Instrument",
    "MentionScore",
    "NewsArticle",
    "ProviderHealth",
    "QuarantinedBar",
    "Quote",
    "SentimentDay",
    "SymbolAlias",
]
