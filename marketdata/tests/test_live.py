"""Live messages: validation before publishing."""

from typing import Any
from uuid import uuid4

import pytest

from marketdata.live import publish_messages, sequence_key
from store.client import redis_client


@pytest.mark.parametrize("refused", [{}, {"price": float("nan")}, {"prices": [1.0, float("inf")]}])
def test_unencodable_message_stops_the_batch(refused: dict[str, Any]) -> None:
    topic = f"test.{uuid4()}"
    with pytest.raises(ValueError, match=r"empty|JSON"):
        publish_messages([(topic, {"price": 1.0}), (topic, refused)])
    assert redis_client().get(sequence_key(topic)) is None


def test_empty_batch_needs_no_redis() -> None:
    assert publish_messages([]) == []
