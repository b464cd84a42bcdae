"""Round trips over a Redis connection of the calling thread, at a fraction of the cost of redis-py's pool."""

import os
import socket
import struct
from collections.abc import Sequence
from threading import local
from typing import Any

import hiredis
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from store.circuit_breaker import CircuitBreaker
from store.client import TIMEOUT_S, is_cluster, redis_client, store_breaker, store_url
from store.commands import Command, login_commands, tls_context

RECEIVE_BYTES = 65_536
NO_REPLY = object()
# The kernel applies the timeout; Python's own would cost one more system call for each read and write.
_TIMEOUT = struct.pack("ll", 0, int(TIMEOUT_S * 1_000_000))


_of_thread = local()
# A child process must not share the connection of the thread that forked.
os.register_at_fork(after_in_child=lambda: _of_thread.__dict__.clear())


def execute(commands: Sequence[Command]) -> list[Any]:
    """Run commands in one round trip and return their replies, of which each may be a RedisError.

    Raises RedisError while the server is unreachable.
    """
    if is_cluster():
        pipeline = redis_client().pipeline()
        for command in commands:
            pipeline.execute_command(*command.words)
        return list(pipeline.execute(raise_on_error=False))
    connection: ThreadConnection | None = getattr(_of_thread, "connection", None)
    if connection is None or connection.url != store_url():
        connection = _of_thread.connection = ThreadConnection(store_url(), store_breaker())
    return connection.call(b"".join([command.packed for command in commands]), len(commands))


class ThreadConnection:
    """One connection that is opened on first use, and again after a failure. Threads must not share it."""

    def __init__(self, url: str, breaker: CircuitBreaker) -> None:
        self.url = url
        self._breaker = breaker
        self._socket: socket.socket | None = None
        self._reader = hiredis.Reader(replyError=ResponseError, notEnoughData=NO_REPLY)

    def call(self, commands: bytes, count: int) -> list[Any]:
        """Send `count` packed commands and return their replies, of which each may be a ResponseError.

        Raises RedisConnectionError, or StoreUnavailable while the breaker is open.
        """
        if not self._breaker.is_closed:
            with self._breaker:
                return self._call(commands, count)
        try:
            return self._call(commands, count)
        except RedisConnectionError:
            self._breaker.fail()
            raise

    def _call(self, commands: bytes, count: int) -> list[Any]:
        """Call, and once more where an idle connection turns out to be closed."""
        try:
            if self._socket is not None:
                try:
                    return self._round_trip(self._socket, commands, count)
                except (ConnectionResetError, BrokenPipeError):
                    self.close()
            return self._round_trip(self._connected(), commands, count)
        except (OSError, hiredis.ProtocolError) as error:
            raise RedisConnectionError(f"Redis does not answer: {error}") from error

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def __del__(self) -> None:
        self.close()

    def _round_trip(self, connected: socket.socket, commands: bytes, count: int) -> list[Any]:
        replies: list[Any] = []
        try:
            connected.sendall(commands)
            while len(replies) < count:
                received = connected.recv(RECEIVE_BYTES)
                if not received:
                    raise ConnectionResetError("the connection is closed")
                self._reader.feed(received)
                while len(replies) < count and (reply := self._reader.gets()) is not NO_REPLY:
                    replies.append(reply)
        except BaseException:
            # Replies that are still to come must not answer the next call.
            self.close()
            raise
        return replies

    def _connected(self) -> socket.socket:
        address = parse_url(self.url)
        if "path" in address:
            connected = socket.socket(socket.AF_UNIX)
            connected.settimeout(TIMEOUT_S)
            connected.connect(address["path"])
        else:
            host = address.get("host", "localhost")
            connected = socket.create_connection((host, address.get("port", 6379)), TIMEOUT_S)
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if (context := tls_context(address)) is not None:
                connected = context.wrap_socket(connected, server_hostname=host)
        connected.settimeout(None)
        for direction in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            connected.setsockopt(socket.SOL_SOCKET, direction, _TIMEOUT)
        self._socket = connected
        self._reader = hiredis.Reader(replyError=ResponseError, notEnoughData=NO_REPLY)
        login = login_commands(address)
        for reply in self._round_trip(connected, b"".join(login), len(login)) if login else ():
            if isinstance(reply, ResponseError):
                self.close()
                raise RedisConnectionError(str(reply))
        return connected
