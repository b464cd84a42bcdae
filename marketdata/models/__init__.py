"""Tables of instruments, bars, quotes, ingestion runs, articles and daily sentiment.

Imported by every layer of marketdata and by higher apps; rules across rows are in services.
"""

from marketdata.models.backfill import Backfill
from marketdata.models.bar_block import BarBlock
from marketdata.models.corporate_action import CorporateAction
from marketdata.models.daily_bar import DailyBar
from marketdata.models.ingestion_run import IngestionRun
from marketdata.models.instrument import Instrument
from marketdata.models.news_article import ArticleMention, MentionScore, NewsArticle
from marketdata.models.provider_health import ProviderHealth
from marketdata.models.quarantined_bar import QuarantinedBar
from marketdata.models.quote import Quote
from marketdata.models.sentiment_day import SentimentDay
from marketdata.models.symbol_alias import SymbolAlias

__all__ = [
    "ArticleMention",
    "Backfill",
    "BarBlock",
    "CorporateAction",
    "DailyBar",
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
