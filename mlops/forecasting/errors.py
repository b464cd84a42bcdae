"""Errors of the numerics."""

from datetime import date


class ForecastingError(Exception):
    """Base of every error of this package."""


class TooLittleHistory(ForecastingError):
    """The panel is too short; both counts are sessions."""

    def __init__(self, have: int, needed: int) -> None:
        super().__init__(f"{have} sessions of history are too few; {needed} are needed.")
        self.have = have
        self.needed = needed


class PricesStandStill(ForecastingError):
    """No price of the panel changed; the count is of sessions."""

    def __init__(self, sessions: int) -> None:
        super().__init__(f"No price changed in {sessions} sessions before the fit, so there is nothing to learn from.")
        self.sessions = sessions


class BundleUnreadable(ForecastingError):
    """Stored model files are missing, damaged or of an unknown format."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The stored model cannot be read: {reason}.")
        self.reason = reason


class TooFewTestSessions(ForecastingError):
    """Too few sessions remain after the start of the test."""

    def __init__(self, first: date, newest: date | None, needed: int) -> None:
        ends = f"the bars end on {newest}" if newest else "there are no bars"
        super().__init__(f"A test from {first} needs {needed} sessions from there on, and {ends}.")
        self.first = first
        self.newest = newest
        self.needed = needed
