"""A server that begins an answer and never ends it, for tests of deadlines."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

HEADERS_DRIP = b"HTTP/1.1 200 OK\r\nX-Slow: "
BODY_DRIPS = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@contextmanager
def endless(start: bytes, *, after_s: float = 0.0, every_s: float = 0.05) -> Iterator[str]:
    """The address of a server that sends `start` after a while, then one byte at a time."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                if ended.wait(after_s):
                    return
                connection.sendall(start)
                while not ended.wait(every_s):
                    try:
                        connection.sendall(b" ")
                    except OSError:
                        return

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        ended.set()
        thread.join(2)
