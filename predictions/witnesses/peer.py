"""Witness: another deployment, which stores and publishes the heads of keys that it trusts."""

from dataclasses import asdict, dataclass

import httpx

from predictions.errors import WitnessFailed
from predictions.signed_head import HeadDocument
from predictions.witnesses.base import TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Peer:
    """Posts heads to `/api/v1/ledger/witnessed` of another deployment."""

    url: str

    @property
    def name(self) -> str:
        return self.url

    def publish(self, head: HeadDocument) -> str:
        """Post the head; the receiver answers a repeated one with 200."""
        try:
            answer = httpx.post(self.url, json=asdict(head.signed), timeout=TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise WitnessFailed(self.name, type(error).__name__) from error
        if not answer.is_success:
            raise WitnessFailed(self.name, f"it answered {answer.status_code}")
        return f"answered {answer.status_code}"
