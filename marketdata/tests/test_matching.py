"""Relevance of texts to companies named like everyday words."""

import pytest

from marketdata.sentiment.matching import MIN_RELEVANCE, Company, relevance_of, search_words

META = Company("META", "Meta Platforms, Inc.")
CAT = Company("CAT", "Caterpillar Inc.")
ALL = Company("ALL", "The Allstate Corporation")
NOW = Company("NOW", "ServiceNow, Inc.")
SPY = Company("SPY", "SPDR S&P 500 ETF Trust")
AAPL = Company("AAPL", "Apple Inc.")
AMZN = Company("AMZN", "Amazon.com, Inc.")
GOOG = Company("GOOG", "Alphabet Inc. Class C")
NFLX = Company("NFLX", "Netflix, Inc.")
NVDA = Company("NVDA", "NVIDIA Corporation")
BRK = Company("BRK.B", "Berkshire Hathaway Inc. Class B")
TGT = Company("TGT", "Target Corporation")


@pytest.mark.parametrize(
    ("company", "title"),
    [
        (META, "$META breaks out ahead of earnings"),
        (META, "Meta Platforms opens a data centre in Ohio"),
        (META, "Meta shares fall as costs climb"),
        (META, "Facebook tests a new feed"),
        (CAT, "Caterpillar raises its dividend"),
        (CAT, "Digger maker (NYSE: CAT) reports on Friday"),
        (CAT, "Dealers of the machine maker (CAT) cut stock, analysts say"),
        (ALL, "Allstate to raise premiums in Texas"),
        (ALL, "$ALL and $PGR up before storm season"),
        (NOW, "ServiceNow beats estimates"),
        (SPY, "$SPY puts expire worthless"),
        (SPY, "SPY closes higher as stocks rally"),
        (CAT, "CAT stock: what to expect"),
        (AAPL, "Apple's iPhone sales slow in China"),
        (AAPL, "AAPL: price target raised by analysts"),
        (AMZN, "Amazon shares rise after cloud unit grows"),
        (GOOG, "Google to pay publishers in Canada"),
        (NFLX, "netflix adds 8 million subscribers"),
        (NVDA, "Nvidia unveils a new chip"),
        (BRK, "Berkshire Hathaway buys a stake in a railway"),
        (BRK, "$BRK.B hits a record"),
        (TGT, "Target cuts its guidance"),
    ],
)
def test_relevant_text_is_accepted(company: Company, title: str) -> None:
    assert MIN_RELEVANCE < relevance_of(title, "", company) <= 1


@pytest.mark.parametrize(
    ("company", "title"),
    [
        (META, "A meta-analysis of 40 studies finds coffee harmless"),
        (META, "The meta of the new season explained"),
        (META, "Meta descriptions still matter for search"),
        (CAT, "Cat stuck in tree rescued by investors' club"),
        (CAT, "CAT SCANS GET CHEAPER, ANALYSTS SAY"),
        (CAT, "Cat food maker's shares rise"),
        (ALL, "ALL stocks fall as investors sell"),
        (ALL, "Stocks fall: all you need to know"),
        (NOW, "Stocks to buy NOW, analysts say"),
        (NOW, "Now is the time for investors to wait"),
        (SPY, "Spy balloon shot down; defence stocks rise"),
        (SPY, "Former SPY tells all about shares of the agency"),
        (AAPL, "Apple pie recipes investors love"),
        (AAPL, "How to store an apple"),
        (AMZN, "Amazon rainforest loses ground as investors flee"),
        (GOOG, "Alphabet soup: what all the fund names stand for"),
        (NFLX, "Streaming rivals raise prices"),
        (TGT, "Central bank keeps its inflation target, stocks rise"),
        (META, "$METAL miners rally"),
        (BRK, "$BRK.A trades thinly"),
        (CAT, "Cat falls from balcony of a stock exchange"),
        (Company("AI", "C3.ai, Inc."), "AI stock frenzy goes on, analysts say"),
        (NVDA, "nvd database lists 40 flaws in trading software"),
    ],
)
def test_everyday_word_is_irrelevant(company: Company, title: str) -> None:
    assert relevance_of(title, "", company) == 0


def test_body_counts_half() -> None:
    assert relevance_of("Chip stocks rally", "Netflix was among the gainers.", NFLX) == pytest.approx(0.4)
    assert relevance_of("Netflix rallies", "", NFLX) == pytest.approx(0.8)


def test_listing_beats_name_and_name_beats_word() -> None:
    titles = ["(NASDAQ: META) slides", "Meta Platforms slides", "Meta shares slide"]
    found = [relevance_of(title, "", META) for title in titles]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


def test_search_phrases_omit_legal_form() -> None:
    assert search_words(META) == ("Meta Platforms", "Meta", "Facebook", "Instagram", "WhatsApp")
    assert search_words(AMZN) == ("Amazon.com", "Amazon")
    assert search_words(BRK) == ("Berkshire Hathaway",)
