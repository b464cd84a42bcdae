"""A mail server that keeps what it is given, and the links in it."""

import re
from email.message import Message
from email.parser import BytesParser
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from config.devserver.server_process import HOST, free_port
from config.tests.waiting import wait_until


class Mailbox:
    """Takes every message; `start` it before and `stop` it after."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._server = Controller(self, hostname=HOST, port=free_port())

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.port)

    def start(self) -> None:
        """Listen from now on."""
        self._server.start()

    def stop(self) -> None:
        """Listen no more."""
        self._server.stop()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """What the server calls with each message."""
        content: Any = envelope.content
        self.messages.append(BytesParser().parsebytes(content))
        return "250 taken"

    def link_to(self, address: str, subject: str) -> str:
        """The path that the newest message to this address with this subject asks to follow."""
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
