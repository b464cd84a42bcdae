"""Errors of forecasts, the ledger, replays and batches."""

from datetime import date, datetime
from pathlib import Path

from marketdata.errors import SessionUnknown


class PredictionError(Exception):
    """Base of every error of this app."""


class HorizonUnknown(PredictionError):
    """The platform does not forecast this horizon."""

    def __init__(self, horizon: str, allowed: tuple[int, ...]) -> None:
        listed = ", ".join(str(h) for h in allowed)
        super().__init__(f"horizon must be one of {listed}, not {horizon[:16]!r}.")
        self.horizon = horizon[:16]
        self.allowed = allowed


class ForecastUnavailable(PredictionError):
    """Neither a fresh nor a stored forecast exists for this instrument and horizon."""

    def __init__(self, symbol: str, horizon: int) -> None:
        super().__init__(f"{symbol} has no forecast for {horizon} trading days yet.")
        self.symbol = symbol
        self.horizon = horizon


class OriginRefused(SessionUnknown):
    """This session cannot be the origin of a forecast."""

    def __init__(self, mic: str, origin: date, reason: str) -> None:
        super().__init__(mic, origin.isoformat())
        self.args = (f"No forecast can be made from {origin}: {reason}.",)
        self.reason = reason


class LedgerBroken(PredictionError):
    """A ledger entry does not match its hash, or the chain has a gap; `forecast_id` names the row."""

    def __init__(self, subject: str, reason: str, *, forecast_id: int | None = None, verified: int = 0) -> None:
        super().__init__(f"{subject}: {reason}.")
        self.subject = subject
        self.reason = reason
        self.forecast_id = forecast_id
        self.verified = verified


class LedgerKeyRefused(PredictionError):
    """The file with the private key that signs heads of the ledger cannot be used."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"The ledger key {path} is refused: {reason}.")
        self.path = path
        self.reason = reason


class ClockBehind(PredictionError):
    """The clock is behind the newest recorded row, so that nothing can be recorded."""

    def __init__(self, now: datetime, newest: datetime) -> None:
        super().__init__(
            f"The clock says {now:%Y-%m-%d %H:%M:%S}, but the newest row of the ledger was recorded at "
            f"{newest:%Y-%m-%d %H:%M:%S}. Set the clock right."
        )
        self.now = now
        self.newest = newest


class WitnessFailed(PredictionError):
    """A witness did not publish a head of the ledger."""

    def __init__(self, witness: str, reason: str) -> None:
        super().__init__(f"{witness}: {reason}.")
        self.witness = witness
        self.reason = reason


class HeadRefused(PredictionError):
    """A head that another deployment sent cannot be verified."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The head was not stored: {reason}.")
        self.reason = reason


class ForecastUnknown(PredictionError):
    """No forecast has this key."""

    def __init__(self, forecast_id: int) -> None:
        super().__init__(f"There is no forecast {forecast_id}.")
        self.forecast_id = forecast_id


class HeadUnknown(PredictionError):
    """The ledger has no head of this day."""

    def __init__(self, day: date) -> None:
        super().__init__(f"The ledger has no head of {day}.")
        self.day = day.isoformat()


class ReplayUnknown(PredictionError):
    """The replay does not exist or has expired."""

    def __init__(self, token: str) -> None:
        super().__init__("The replay does not exist or has expired. Request a new one.")
        self.token = token[:64]


class ReplayImpossible(PredictionError):
    """A stored forecast cannot be recomputed."""

    def __init__(self, forecast_id: int, reason: str) -> None:
        super().__init__(f"Forecast {forecast_id} cannot be recomputed: {reason}.")
        self.forecast_id = forecast_id
        self.reason = reason


class BatchUnknown(PredictionError):
    """The caller has no batch with this key."""

    def __init__(self, batch_id: str) -> None:
        super().__init__("You have no batch with this id.")
        self.batch_id = batch_id


class BatchFinished(PredictionError):
    """The batch is complete and cannot be cancelled."""

    def __init__(self, batch_id: str) -> None:
        super().__init__("The batch is complete and cannot be cancelled.")
        self.batch_id = batch_id


class BatchNeedsOwner(PredictionError):
    """An anonymous request has more symbols than one answer allows; larger batches are jobs with an owner."""

    def __init__(self, most: int) -> None:
        super().__init__(
            f"Sign in or send an API key to request more than {most} symbols: such a batch belongs to an account."
        )
        self.most = most
