"""A connection to the store for each thread: packed commands go out and replies come back with no client in between."""

from threading import local
from typing import Any

import structlog
from redis import Connection
from redis.exceptions import ConnectionError as StoreAway
from redis.exceptions import NoScriptError, RedisError

from accounts.limits import STORE_OUTAGE, store
from predictions.readpath.cache import READ_LUA

log = structlog.get_logger(__name__)


class Line(local):
    """The connection of the thread that asks, opened by redis-py as the address says."""

    def __init__(self) -> None:
        pool = store().connection_pool
        self._connection: Connection = pool.connection_class(**pool.connection_kwargs)
        self._is_kept = False

    def ask(self, packed: bytes) -> Any:
        """The reply to the reading script; None while the store does not answer."""
        if STORE_OUTAGE.is_on:
            return None
        try:
            return self._prepared(packed)
        except RedisError as error:
            self._connection.disconnect()
            STORE_OUTAGE.begin()
            log.warning("read_path_store_unreachable", reason=type(error).__name__)
            return None

    def _prepared(self, packed: bytes) -> Any:
        """The reply from a store that knows the script. Raises RedisError."""
        try:
            return self._tried(packed)
        except NoScriptError:
            self._connection.send_command("SCRIPT", "LOAD", READ_LUA)
            self._connection.read_response()
            return self._tried(packed)

    def _tried(self, packed: bytes) -> Any:
        """The reply; a connection that was kept and turns out to be dead is opened once more. Raises RedisError."""
        was_kept, self._is_kept = self._is_kept, False
        try:
            reply = self._once(packed)
        except StoreAway:
            if not was_kept:
                raise
            reply = self._once(packed)
        self._is_kept = True
        return reply

    def _once(self, packed: bytes) -> Any:
        self._connection.send_packed_command([packed], check_health=False)
        return self._connection.read_response()
