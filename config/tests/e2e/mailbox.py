"""An SMTP server that stores messages, and the links in them."""

import re
from email.message import Message
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from config.devserver.server_process import HOST, free_port
from config.tests.waiting import wait_until


class Mailbox:
    """Accepts every message between `start` and `stop`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._server = Controller(self, hostname=HOST, port=free_port())

    @property
    def port(self) -> int:
        """Port of the server."""
        return int(self._server.port)

    def start(self) -> None:
        """Start the server."""
        self._server.start()

    def stop(self) -> None:
        """Stop the server."""
        self._server.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Store a message; the server calls this."""
        content: Any = envelope.content
        self.messages.append(BytesParser().parsebytes(content))
        return "250 OK"

    def link_to(self, address: str, subject: str) -> str:
        """Return the path of the link in the newest message to this address with this subject."""
        wait_until(lambda: self._texts(address, subject), f"a message {subject!r} to {address}")
        text = self._texts(address, subject)[-1]
        found = re.search(r"http://[^/]+(/accounts/\S+)", text)
        assert found is not None, text
        return found[1]

    def _texts(self, address: str, subject: str) -> list[str]:
        return [
            bytes(message.get_payload(decode=True)).decode()
            for message in self.messages
            if (message["To"], message["Subject"]) == (address, subject)
        ]
