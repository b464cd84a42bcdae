"""Storing articles: which are believed, which are one story, whom they are about, and how they score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db import transaction

from marketdata.calendars import session_for_publication
from marketdata.errors import SessionUnknown
from marketdata.models import ArticleMention, Instrument, MentionScore, NewsArticle
from marketdata.providers.news_base import ArticleRecord
from marketdata.sentiment.deduplication import are_same_story, canonical_url, title_words
from marketdata.sentiment.matching import LEAST_RELEVANCE, Company, relevance_of
from marketdata.sentiment.types import Scorer, TextScore, sentiment_label

# NewsAPI puts these in the place of an article that its outlet took back.
REMOVED_TITLE, REMOVED_HOST = "[removed]", "https://removed.com"
# A canonical address may be longer than what a source sent, because it is written in ASCII.
LONGEST_ADDRESS = 700
OLDEST = datetime(1990, 1, 2, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=10)
SAME_STORY_WITHIN = timedelta(days=3)
# Alpha Vantage calls a score neutral up to .15.
VENDOR_NEUTRAL_WITHIN = 0.15


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of the articles of a source: new, joined to one that is there, or left out."""

    new: int = 0
    joined: int = 0
    unbelievable: int = 0
    about_others: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            self.new + other.new,
            self.joined + other.joined,
            self.unbelievable + other.unbelievable,
            self.about_others + other.about_others,
        )


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An article that is believed and about the company."""

    record: ArticleRecord
    url: str
    words: frozenset[str]
    relevance: float


@dataclass(frozen=True, slots=True)
class _Known:
    """A stored article near which another may say the same."""

    article: NewsArticle
    words: frozenset[str]


@transaction.atomic
def store_articles(
    *, instrument: Instrument, provider: str, records: Sequence[ArticleRecord], scorer: Scorer, now: datetime
) -> tuple[Stored, set[date]]:
    """Store what is believable and about the instrument; returns the counts and the sessions whose mood may change.

    Articles with one canonical address, or near-identical titles within three days, are one; the first one stays as it
    is and takes on what a vendor says of the other. A second call stores nothing and names the same sessions.
    """
    Instrument.objects.select_for_update().get(pk=instrument.pk)
    candidates, unbelievable, about_others = _sorted_out(instrument, records, now)
    known = _known_near(instrument, candidates)
    new = joined = 0
    sessions: set[date] = set()
    texts = [f"{one.record.title}. {one.record.summary}".strip() for one in candidates]
    for candidate, own_score in zip(candidates, scorer.score(texts), strict=True):
        article = _same_story(candidate, known)
        if article is None:
            article = _new_article(candidate, provider, now)
            known.append(_Known(article, candidate.words))
            new += 1
        else:
            joined += 1
        sessions.add(_attach(article, instrument, candidate, (scorer.name, own_score), provider))
    return Stored(new, joined, unbelievable, about_others), sessions


def _sorted_out(
    instrument: Instrument, records: Sequence[ArticleRecord], now: datetime
) -> tuple[list[_Candidate], int, int]:
    """The articles to store, oldest first, and how many were not believed or about others."""
    company = Company(instrument.symbol, instrument.name)
    candidates: list[_Candidate] = []
    unbelievable = about_others = 0
    for record in sorted(records, key=lambda one: one.published_at):
        address = _believed_address(record, now)
        if not address:
            unbelievable += 1
            continue
        relevance = record.vendor_relevance
        if relevance is None:
            relevance = relevance_of(record.title, record.summary, company)
        if relevance < LEAST_RELEVANCE:
            about_others += 1
            continue
        try:
            session_for_publication(instrument.mic, record.published_at)
        except SessionUnknown:
            unbelievable += 1
            continue
        candidates.append(_Candidate(record, address, title_words(record.title), relevance))
    return candidates, unbelievable, about_others


def _believed_address(record: ArticleRecord, now: datetime) -> str:
    """The canonical address of an article with a title and a time that can be; empty for any other."""
    title = record.title.strip().lower()
    if not title or title == REMOVED_TITLE or not OLDEST <= record.published_at <= now + CLOCK_TOLERANCE:
        return ""
    try:
        address = canonical_url(record.url)
    except ValueError:
        return ""
    return "" if address.startswith(REMOVED_HOST) or len(address) > LONGEST_ADDRESS else address


def _known_near(instrument: Instrument, candidates: Sequence[_Candidate]) -> list[_Known]:
    """Stored articles at the same addresses, and those about the instrument from the same days."""
    if not candidates:
        return []
    first, last = candidates[0].record.published_at, candidates[-1].record.published_at
    near = NewsArticle.objects.filter(
        mentions__instrument=instrument,
        published_at__range=(first - SAME_STORY_WITHIN, last + SAME_STORY_WITHIN),
    )
    same = NewsArticle.objects.filter(url__in=[one.url for one in candidates])
    articles = {article.pk: article for article in (*near, *same)}
    return [_Known(article, title_words(article.title)) for article in articles.values()]


def _same_story(candidate: _Candidate, known: Sequence[_Known]) -> NewsArticle | None:
    """The stored article that tells the same: by its address, else by its title. Posts are never joined by title."""
    for one in known:
        if one.article.url == candidate.url:
            return one.article
    if candidate.record.is_social:
        return None
    for one in known:
        close = abs(one.article.published_at - candidate.record.published_at) <= SAME_STORY_WITHIN
        if close and not one.article.is_social and are_same_story(candidate.words, one.words):
            return one.article
    return None


def _new_article(candidate: _Candidate, provider: str, now: datetime) -> NewsArticle:
    """The stored article; a run at the same time may have been faster."""
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
    """Note that the article is about the instrument, with each scorer's view once; returns its session."""
    mention, _ = ArticleMention.objects.get_or_create(
        article=article,
        instrument=instrument,
        defaults={
            "session": session_for_publication(instrument.mic, article.published_at),
            "relevance": candidate.relevance,
        },
    )
    views = [own]
    if candidate.record.vendor_score is not None:
        score = candidate.record.vendor_score
        views.append((provider, TextScore(sentiment_label(score, neutral_within=VENDOR_NEUTRAL_WITHIN), score)))
    MentionScore.objects.bulk_create(
        [MentionScore(mention=mention, scorer=name, label=view.label, score=view.score) for name, view in views],
        ignore_conflicts=True,
    )
    return mention.session
