"""Server that starts a response and never completes it, for tests of deadlines."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HEADERS_DRIP = b"HTTP/1.1 200 OK\r\nX-Slow: "
BODY_DRIPS = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
# Longer than any deadline in the tests: a client that is still connected then has missed its own.
LIMIT_S = 60.0


@contextmanager
def endless(start: bytes, *, silent: bool = False, every_s: float = 0.05) -> Iterator[str]:
    """Yield the URL of a server that sends `start` and then one byte at a time; with `silent`, nothing at all.

    Fails if the client has not closed its connection after 60 s.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended, client_left = threading.Event(), threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                if silent:
                    ended.wait(LIMIT_S)
                    return
                try:
                    connection.sendall(start)
                    while not ended.wait(every_s):
                        connection.sendall(b" ")
                except OSError:
                    client_left.set()

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        left = silent or client_left.wait(LIMIT_S)
        ended.set()
        thread.join(LIMIT_S)
        assert left, "the client kept its connection beyond the deadline"
