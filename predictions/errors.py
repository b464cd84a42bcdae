"""What can go wrong with forecasts and their reading."""

from datetime import date

from marketdata.errors import SessionUnknown


class PredictionError(Exception):
    """Base of every error of this app."""


class HorizonUnknown(PredictionError):
    """The horizon is not one that is forecast."""

    def __init__(self, horizon: str, allowed: tuple[int, ...]) -> None:
        listed = ", ".join(str(h) for h in allowed)
        super().__init__(f"horizon must be one of {listed}, not {horizon[:16]!r}.")
        self.horizon = horizon[:16]
        self.allowed = allowed


class ForecastUnavailable(PredictionError):
    """Neither a fresh nor a stored forecast exists for this instrument and horizon."""

    def __init__(self, symbol: str, horizon: int) -> None:
        super().__init__(f"There is no forecast for {symbol} over {horizon} sessions yet.")
        self.symbol = symbol
        self.horizon = horizon


class OriginRefused(SessionUnknown):
    """No forecast can be made from this session."""

    def __init__(self, mic: str, origin: date, reason: str) -> None:
        super().__init__(mic, origin.isoformat())
        self.args = (f"No forecast can be made from {origin}: {reason}.",)
        self.reason = reason


class LedgerBroken(PredictionError):
    """A stored forecast does not match its hash, or the chain has a gap."""

    def __init__(self, forecast_id: int, reason: str) -> None:
        super().__init__(f"Forecast {forecast_id}: {reason}.")
        self.forecast_id = forecast_id
        self.reason = reason
