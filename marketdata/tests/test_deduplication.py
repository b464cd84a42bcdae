"""Duplicate detection by URL and title."""

import pytest

from marketdata.sentiment.deduplication import are_same_story, canonical_url, title_words

STORY = "https://example.com/news/chip-maker?id=7"


@pytest.mark.parametrize(
    "url",
    [
        "http://www.example.com/news/chip-maker?id=7",
        "https://EXAMPLE.com:443/news/chip-maker/?id=7&utm_source=x&utm_medium=y",
        "https://m.example.com/news/chip-maker?fbclid=abc&id=7#comments",
        "https://amp.example.com/news/chip-maker/amp?id=7",
        " https://example.com//news/chip-maker/index.html?gclid=1&id=7&guccounter=1 ",
    ],
)
def test_url_variants_are_equal(url: str) -> None:
    assert canonical_url(url) == STORY


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/news/chip-maker?id=8",
        "https://example.com/news/Chip-Maker?id=7",
        "https://example.org/news/chip-maker?id=7",
    ],
)
def test_different_urls_stay_different(url: str) -> None:
    assert canonical_url(url) != STORY


def test_parameter_order_is_ignored() -> None:
    assert (
        canonical_url("https://a.com/x?b=2&a=1")
        == canonical_url("https://a.com/x?a=1&b=2")
        == "https://a.com/x?a=1&b=2"
    )


@pytest.mark.parametrize(
    "url", ["", "javascript:alert(1)", "data:text/html,x", "ftp://a.com/x", "https://", "/news/7", "http://[::1"]
)
def test_invalid_url_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        canonical_url(url)


@pytest.mark.parametrize(
    "other",
    [
        "Chip Maker Lifts Full-Year Outlook After Record Orders",
        "Chip maker lifts full-year outlook after record orders - The Example Times",
        "Chip maker lifts full-year outlook after the record orders | Example",
        "Chip maker lifts its full-year outlook after record orders, filing says",
    ],
)
def test_near_identical_titles_match(other: str) -> None:
    assert are_same_story(title_words(other), title_words("Chip maker lifts full-year outlook after record orders"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "Shares of the big chip maker rise 3% in early trading today",
            "Shares of the big chip maker rise 7% in early trading today",
        ),
        (
            "Shares of the big chip maker rise in early trading today",
            "Shares of the big chip maker fall in early trading today",
        ),
        ("Chip maker lifts outlook", "Chip maker lifts prices"),
        ("Apple news", "Apple sues"),
    ],
)
def test_different_number_or_tone_does_not_match(one: str, other: str) -> None:
    assert not are_same_story(title_words(one), title_words(other))


def test_empty_titles_do_not_match() -> None:
    assert not are_same_story(title_words(""), title_words(""))
