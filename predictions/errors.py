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
    """Something in the ledger does not match its seal, or the chain has a gap; `forecast_id` names a row at fault."""

    def __init__(self, subject: str, reason: str, *, forecast_id: int | None = None, verified: int = 0) -> None:
        super().__init__(f"{subject}: {reason}.")
        self.subject = subject
        self.reason = reason
        self.forecast_id = forecast_id
        self.verified = verified


class ForecastUnknown(PredictionError):
    """No forecast has this key."""

    def __init__(self, forecast_id: int) -> None:
        super().__init__(f"There is no forecast {forecast_id}.")
        self.forecast_id = forecast_id


class HeadUnknown(PredictionError):
    """No head of the ledger was taken on this day."""

    def __init__(self, day: date) -> None:
        super().__init__(f"No head of the ledger was taken on {day}.")
        self.day = day.isoformat()


class ReplayUnknown(PredictionError):
    """Nobody has asked for this replay lately."""

    def __init__(self, token: str) -> None:
        super().__init__("There is no such replay, or it was forgotten; ask for another.")
        self.token = token[:64]


class ReplayImpossible(PredictionError):
    """A stored forecast cannot be computed again."""

    def __init__(self, forecast_id: int, reason: str) -> None:
        super().__init__(f"Forecast {forecast_id} cannot be computed again: {reason}.")
        self.forecast_id = forecast_id
        self.reason = reason


class BatchUnknown(PredictionError):
    """The caller has no batch with this key."""

    def __init__(self, batch_id: str) -> None:
        super().__init__("You have no batch with this id.")
        self.batch_id = batch_id


class BatchFinished(PredictionError):
    """All answers of the batch are there, so that there is nothing left to cancel."""

    def __init__(self, batch_id: str) -> None:
        super().__init__("The batch is done; there is nothing left to cancel.")
        self.batch_id = batch_id


class BatchNeedsOwner(PredictionError):
    """More symbols than are answered at once become a job, and a job belongs to somebody."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Sign in or send an API key to ask for more than {most} symbols: such a batch is yours alone."
        )
        self.most = most
