"""Live messages: what is refused before anything is sent."""

from typing import Any
from uuid import uuid4

import pytest

from marketdata.live import publish_messages, sequence_key
from store.client import redis_client


@pytest.mark.parametrize("refused", [{}, {"price": float("nan")}, {"prices": [1.0, float("inf")]}])
def test_a_message_that_cannot_be_told_stops_the_whole_batch(refused: dict[str, Any]) -> None:
    topic = f"test.{uuid4()}"
    with pytest.raises(ValueError, match=r"empty|JSON"):
        publish_messages([(topic, {"price": 1.0}), (topic, refused)])
    assert redis_client().get(sequence_key(topic)) is None


def test_nothing_to_tell_needs_no_store() -> None:
    assert publish_messages([]) == []
