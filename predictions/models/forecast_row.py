"""A forecast on its way into the table, as a plain object: a publication makes thousands of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from marketdata.models import Instrument
from mlops.models import ModelVersion
from predictions.models.toolchain import Toolchain


class InputKey(NamedTuple):
    """A stored input block: its key and the hash of its numbers."""

    pk: int
    sha256: str


@dataclass(slots=True, kw_only=True)
class ForecastRow:
    """What a `Forecast` holds, under the same names; decimals and the instant are the text that is stored.

    The ledger gives it its key and its two hashes.
    """

    instrument: Instrument
    symbol: str
    origin: date
    horizon_sessions: int
    target: date
    kind: str
    status: str
    reasons: Sequence[str]
    tick: str
    last_price: str | None
    model_version: ModelVersion
    fit: str
    toolchain: Toolchain | None
    data_source: str
    basis_date: date | None
    inputs: InputKey | None
    recorded_at: str
    predicted_price: str | None = None
    probability_up: str | None = None
    base_rate_up: str | None = None
    probability_beats_median: str | None = None
    signal: str = ""
    signal_meaning: str = ""
    signal_reason: str = ""
    confidence: str | None = None
    lower_80: str | None = None
    upper_80: str | None = None
    lower_95: str | None = None
    upper_95: str | None = None
    lower_99: str | None = None
    upper_99: str | None = None
    volatility_rises: str | None = None
    big_move: str | None = None
    risk_level: str = ""
    drivers: Sequence[dict[str, Any]] = ()
    pk: int = 0
    previous_hash: str = ""
    entry_hash: str = ""

    @property
    def id(self) -> int:
        """The key, under the column's name."""
        return self.pk

    @property
    def instrument_id(self) -> int:
        """The instrument's key."""
        return self.instrument.pk

    @property
    def model_version_id(self) -> int:
        """The version's key."""
        return self.model_version.pk

    @property
    def toolchain_id(self) -> int | None:
        """The toolchain's key."""
        return None if self.toolchain is None else self.toolchain.pk

    @property
    def inputs_id(self) -> int | None:
        """The input block's key."""
        return None if self.inputs is None else self.inputs.pk

    @property
    def serves(self) -> bool:
        """Whether the version that made it is the champion now."""
        return self.model_version.stage == ModelVersion.Stage.CHAMPION
