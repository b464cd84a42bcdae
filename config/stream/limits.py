"""Limits of the sockets of one `edge` process: how many a caller opens, and what they may request.

A caller is an account, or the address of an anonymous socket. Commands and searches count in the windows of the API's
limiter (`accounts.limits`), in this process only, so that an event loop never waits for them.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from accounts.conf import LimitSettings
from accounts.limits import AddressQuota, LocalCounter, address_bucket, network_of, user_bucket
from config.stream.protocol import CommandRefused
from marketdata.live import MAX_SEARCHES

# A network (/24 or /48) may have this many times the sockets of one address.
ADDRESSES_PER_NETWORK = 5
# A socket is closed after this many commands over the limit in a row.
MAX_REFUSED_COMMANDS = 100
RETRY_AFTER_CLOSED_S = 30


class LimitExceeded(CommandRefused):
    """A limit of sockets or commands is exceeded; `retry_after_s` is the wait."""

    def __init__(self, detail: str, retry_after_s: int) -> None:
        super().__init__("rate-limited", detail)
        self.retry_after_s = retry_after_s


@dataclass(slots=True, eq=False)
class SocketCaller:
    """One open socket: `caller` names its account or address, `counted_in` every name that it counts for."""

    caller: str
    counted_in: Sequence[tuple[str, int]]
    # Names this socket only; a counter may outlive it by a minute.
    name: str = field(default_factory=lambda: f"socket:{time.monotonic_ns()}")
    refused_commands: int = 0


class SocketLimits:
    """Counts open sockets, commands and searches; a caller's limits hold for all its sockets together."""

    def __init__(self, limits: LimitSettings, *, now: Callable[[], float] = time.time) -> None:
        self._limits = limits
        self._now = now
        self._open: Counter[str] = Counter()
        self._counter = LocalCounter()

    def open(self, address: str, user_id: int | None) -> SocketCaller:
        """Count a new socket. Raises LimitExceeded."""
        bucket = address_bucket(address)
        counted_in = [
            (bucket, self._limits.sockets_per_address),
            (f"network:{network_of(address)}", ADDRESSES_PER_NETWORK * self._limits.sockets_per_address),
        ]
        if user_id is not None:
            counted_in.append((user_bucket(user_id), self._limits.sockets_per_account))
        for name, limit in counted_in:
            if self._open[name] >= limit:
                raise LimitExceeded(f"At most {limit} sockets may be open. Close others first.", RETRY_AFTER_CLOSED_S)
        self._open.update([name for name, _ in counted_in])
        return SocketCaller(bucket if user_id is None else user_bucket(user_id), counted_in)

    def close(self, socket: SocketCaller) -> None:
        """Stop counting a closed socket."""
        for name, _ in socket.counted_in:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]

    def take_command(self, socket: SocketCaller) -> None:
        """Count a command of the socket and of its caller. Raises LimitExceeded."""
        for name, limit in (
            (socket.name, self._limits.commands_per_socket),
            (f"commands:{socket.caller}", self._limits.commands_per_minute),
        ):
            counted = self._counter.count(AddressQuota(name, "commands", limit, None), now_s=self._now())
            if counted.refused_by is not None:
                socket.refused_commands += 1
                wait_s = max(1, counted.refused_by.reset_s)
                raise LimitExceeded(f"At most {limit} commands are allowed per minute. Retry after {wait_s} s.", wait_s)
        socket.refused_commands = 0

    def searches_left(self, socket: SocketCaller) -> int:
        """Return how many unknown symbols of the next command may be searched for."""
        return min(MAX_SEARCHES, self._search(socket, 0))

    def take_searches(self, socket: SocketCaller, searches: int) -> None:
        """Count searches that were made."""
        self._search(socket, searches)

    def _search(self, socket: SocketCaller, cost: int) -> int:
        quota = AddressQuota(f"searches:{socket.caller}", "searches", self._limits.searches_per_minute, None)
        return self._counter.count(quota, cost, now_s=self._now()).windows[0].remaining
