"""Example responses for the API documentation."""

SYMBOLS = {
    "symbols": [
        {
            "symbol": "AAPL",
            "name": "Apple Inc.",
            "exchange": "XNAS",
            "sector": "Information Technology",
            "currency": "USD",
            "active": True,
            "delisted_on": None,
        }
    ],
    "next_page": None,
}
PRICES = {
    "symbol": "AAPL",
    "currency": "USD",
    "source": "sample",
    "adjusted": False,
    "known_at": None,
    "as_of": "2023-09-21",
    "basis_date": "2023-09-21",
    "stale": True,
    "bars": [
        {
            "session": "2023-09-21",
            "open": 174.55,
            "high": 176.3,
            "low": 173.86,
            "close": 173.93,
            "adjusted_close": 173.93,
            "volume": 63047900,
        }
    ],
    "more_from": None,
}
PRICES_CSV = (
    "session,open,high,low,close,adjusted_close,volume\r\n2023-09-21,174.55,176.3,173.86,173.93,173.93,63047900\r\n"
)
QUOTES = {
    "quotes": [
        {
            "symbol": "AAPL",
            "name": "Apple Inc.",
            "currency": "USD",
            "price": 173.93,
            "as_of": "2023-09-21T20:00:00Z",
            "session": "2023-09-21",
            "previous_close": 175.49,
            "change": -1.56,
            "change_percent": -0.8889,
            "kind": "close",
            "source": "sample",
            "delayed": False,
            "stale": True,
        }
    ],
    "missing": [{"symbol": "APPL", "detail": "No price is stored for APPL."}],
}
RESPONSES = {
    "sentiment": {
        "symbol": "AAPL",
        "scorer": "lexicon",
        "latest": {
            "session": "2023-09-21",
            "score": 0.2031,
            "count": 1,
            "dispersion": None,
            "scores": {"lexicon": {"score": 0.2031, "count": 1, "dispersion": None}},
        },
        "days": [
            {"session": "2023-09-20", "score": None, "count": 0, "dispersion": None, "scores": {}},
            {
                "session": "2023-09-21",
                "score": 0.2031,
                "count": 1,
                "dispersion": None,
                "scores": {"lexicon": {"score": 0.2031, "count": 1, "dispersion": None}},
            },
        ],
        "articles": [
            {
                "title": "Apple shares rise on strong demand",
                "url": "https://example.com/apple-shares-rise-on-strong-demand",
                "source": "Example",
                "provider": "newsapi",
                "is_social": False,
                "published_at": "2023-09-21T14:05:00Z",
                "session": "2023-09-21",
                "relevance": 1.0,
                "scores": {"lexicon": {"label": "positive", "score": 0.2031}},
            }
        ],
        "next_cursor": None,
        "next": None,
    },
    "providers": {
        "providers": [
            {
                "provider": "sample",
                "uses": ["prices"],
                "state": "ok",
                "detail": "",
                "checked_at": "2023-09-21T22:00:00Z",
                "latency_ms": 3,
                "last_success_at": "2023-09-21T22:00:00Z",
                "last_failure_at": None,
                "error_kinds": {},
                "calls_today": 12,
                "calls_left": None,
                "runs_out_at": None,
                "paused_until": None,
            }
        ]
    },
}
