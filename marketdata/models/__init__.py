"""What the market did and what was written about it: instruments, bars, refusals, ingestions, articles and moods."""

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
