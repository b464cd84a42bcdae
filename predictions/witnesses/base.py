"""Interface of witnesses."""

from typing import Protocol

from predictions.signed_head import HeadDocument

TIMEOUT_S = 10.0


class Witness(Protocol):
    """Publishes heads outside the database. `name` identifies it in the table of publications."""

    @property
    def name(self) -> str: ...

    def publish(self, head: HeadDocument) -> str:
        """Publish a head and return a receipt in one line; a repeated call adds nothing. Raises WitnessFailed."""
        ...
