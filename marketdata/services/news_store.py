"""Store articles: validate, deduplicate, link to companies and score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from marketdata.calendars import session_for_publication
from marketdata.errors import SessionUnknown
from marketdata.models import ArticleMention, Instrument, MentionScore, NewsArticle
from marketdata.providers.base import ArticleRecord
from marketdata.sentiment.deduplication import are_same_story, canonical_url, title_words
from marketdata.sentiment.matching import MIN_RELEVANCE, Company, relevance_of
from marketdata.sentiment.types import Scorer, TextScore, sentiment_label

# NewsAPI's placeholders for withdrawn articles.
REMOVED_TITLE, REMOVED_HOST = "[removed]", "https://removed.com"
# A canonical URL can be longer than the original, because it is ASCII-encoded.
MAX_URL_LENGTH = 700
OLDEST = datetime(1990, 1, 2, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=10)
SAME_STORY_WITHIN = timedelta(days=3)
# Alpha Vantage labels scores up to .15 neutral.
VENDOR_NEUTRAL_WITHIN = 0.15


@dataclass(frozen=True, slots=True)
class ArticleCounts:
    """Counts of a source's articles: new, duplicates of stored ones, invalid, or irrelevant."""

    new: int = 0
    duplicates: int = 0
    invalid: int = 0
    irrelevant: int = 0

    def __add__(self, other: "ArticleCounts") -> "ArticleCounts":
        return ArticleCounts(
            self.new + other.new,
            self.duplicates + other.duplicates,
            self.invalid + other.invalid,
            self.irrelevant + other.irrelevant,
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """Valid article about the company."""

    record: ArticleRecord
    url: str
    words: frozenset[str]
    relevance: float


@dataclass(frozen=True, slots=True)
class _StoredArticle:
    """ArticleCounts article that a candidate may duplicate."""

    article: NewsArticle
    words: frozenset[str]


@transaction.atomic
def store_articles(
    *, instrument: Instrument, provider: str, records: Sequence[ArticleRecord], scorer: Scorer, now: datetime
) -> tuple[ArticleCounts, set[date]]:
    """Store valid articles about the instrument; returns the counts and the sessions whose sentiment may change.

    Articles with the same canonical URL, or near-identical titles within three days, are one: the first is kept
    unchanged and gets the other's vendor score. A second call stores nothing and returns the same sessions.
    """
    Instrument.objects.select_for_update().get(pk=instrument.pk)
    candidates, invalid, irrelevant = _filter_articles(instrument, records, now)
    stored = _nearby_articles(instrument, candidates)
    new = duplicates = 0
    sessions: set[date] = set()
    texts = [f"{one.record.title}. {one.record.summary}".strip() for one in candidates]
    for candidate, own_score in zip(candidates, scorer.score(texts), strict=True):
        article = _find_duplicate(candidate, stored)
        if article is None:
            article = _new_article(candidate, provider, now)
            stored.append(_StoredArticle(article, candidate.words))
            new += 1
        else:
            duplicates += 1
        sessions.add(_attach(article, instrument, candidate, (scorer.name, own_score), provider))
    return ArticleCounts(new, duplicates, invalid, irrelevant), sessions


def _filter_articles(
    instrument: Instrument, records: Sequence[ArticleRecord], now: datetime
) -> tuple[list[_Candidate], int, int]:
    """Return the articles to store, oldest first, and the numbers of invalid and irrelevant ones."""
    company = Company(instrument.symbol, instrument.name)
    candidates: list[_Candidate] = []
    invalid = irrelevant = 0
    for record in sorted(records, key=lambda one: one.published_at):
        url = _valid_url(record, now)
        if not url:
            invalid += 1
            continue
        relevance = record.vendor_relevance
        if relevance is None:
            relevance = relevance_of(record.title, record.summary, company)
        if relevance < MIN_RELEVANCE:
            irrelevant += 1
            continue
        try:
            session_for_publication(instrument.mic, record.published_at)
        except SessionUnknown:
            invalid += 1
            continue
        candidates.append(_Candidate(record, url, title_words(record.title), relevance))
    return candidates, invalid, irrelevant


def _valid_url(record: ArticleRecord, now: datetime) -> str:
    """Return the canonical URL of an article with a valid title and time; empty for any other."""
    title = record.title.strip().lower()
    if not title or title == REMOVED_TITLE or not OLDEST <= record.published_at <= now + CLOCK_TOLERANCE:
        return ""
    try:
        url = canonical_url(record.url)
    except ValueError:
        return ""
    return "" if url.startswith(REMOVED_HOST) or len(url) > MAX_URL_LENGTH else url


def _nearby_articles(instrument: Instrument, candidates: Sequence[_Candidate]) -> list[_StoredArticle]:
    """Return stored articles with the same URLs, and those about the instrument from the same days."""
    if not candidates:
        return []
    first, last = candidates[0].record.published_at, candidates[-1].record.published_at
    by_date = NewsArticle.objects.filter(
        mentions__instrument=instrument,
        published_at__range=(first - SAME_STORY_WITHIN, last + SAME_STORY_WITHIN),
    )
    by_url = NewsArticle.objects.filter(url__in=[one.url for one in candidates])
    articles = {article.pk: article for article in (*by_date, *by_url)}
    return [_StoredArticle(article, title_words(article.title)) for article in articles.values()]


def _find_duplicate(candidate: _Candidate, stored: Sequence[_StoredArticle]) -> NewsArticle | None:
    """Return the stored duplicate, by URL or else by title; posts are never matched by title."""
    for one in stored:
        if one.article.url == candidate.url:
            return one.article
    if candidate.record.is_social:
        return None
    for one in stored:
        close = abs(one.article.published_at - candidate.record.published_at) <= SAME_STORY_WITHIN
        if close and not one.article.is_social and are_same_story(candidate.words, one.words):
            return one.article
    return None


def _new_article(candidate: _Candidate, provider: str, now: datetime) -> NewsArticle:
    """Return the stored article; a concurrent run may have created it."""
    record = candidate.record
    article, _ = NewsArticle.objects.get_or_create(
        url=candidate.url,
        defaults={
            "title": record.title,
            "summary": record.summary,
            "source": record.source,
            "provider": provider,
            "is_social": record.is_social,
            "published_at": record.published_at,
            "fetched_at": now,
        },
    )
    return article


def _attach(
    article: NewsArticle,
    instrument: Instrument,
    candidate: _Candidate,
    own: tuple[str, TextScore],
    provider: str,
) -> date:
    """Link the article to the instrument with one score per scorer; returns its session."""
    mention, _ = ArticleMention.objects.get_or_create(
        article=article,
        instrument=instrument,
        defaults={
            "session": session_for_publication(instrument.mic, article.published_at),
            "relevance": candidate.relevance,
        },
    )
    scores = [own]
    if candidate.record.vendor_score is not None:
        score = candidate.record.vendor_score
        scores.append((provider, TextScore(sentiment_label(score, neutral_within=VENDOR_NEUTRAL_WITHIN), score)))
    MentionScore.objects.bulk_create(
        [MentionScore(mention=mention, scorer=name, label=one.label, score=one.score) for name, one in scores],
        ignore_conflicts=True,
    )
    return mention.session
