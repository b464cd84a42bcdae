"""Answers as they look, for the documentation."""

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
