"""`GET /api/v1/predict` in `web`: plain calls are answered before Django has made anything of the request."""

import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from accounts.errors import CredentialsRefused
from config.edge.answers import Answers, Reply, is_fresh
from config.edge.asking import READ_PATH, Call, Reader, call_of
from config.edge.held import Commands, Held
from config.edge.inside import Wsgi
from config.edge.line import Line
from config.edge.lines import pairs_of
from config.edge.tally import Direct
from predictions.api.predict import SEEN
from predictions.readpath.cache import look_of

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class PlainReads:
    """A WSGI application in front of Django's. Other paths, and whatever is unusual about a call, go on to Django."""

    def __init__(self, django: Wsgi) -> None:
        self._django = django
        self._reader = Reader()
        self._answers = Answers(Direct())
        self._held = Held()
        self._commands = Commands()
        self._line = Line()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        reply = self._reply(environ) if environ["PATH_INFO"] == READ_PATH else None
        if reply is None:
            return self._django(environ, start_response)
        start_response(_STATUS_LINES[reply.status], pairs_of(reply.lines))
        return [reply.body]

    def _reply(self, environ: dict[str, Any]) -> Reply | None:
        """The answer, or None for a call that the view has to look at; the environment tells it what is known."""
        began = time.perf_counter()
        call = self._call_of(environ)
        if call is None:
            return None
        held = self._held.of(call.query)
        found = self._line.ask(self._commands.of(call.caller, call.query, held))
        if found is None:
            return None
        held = self._held.completed(call.query, held, found)
        if found[0]:
            return self._answers.refused(call, found, began)
        if held is None or not is_fresh(found, time.time()):
            environ[SEEN] = look_of(call.caller, found)
            return None
        return self._answers.told(call, held, found, began)

    def _call_of(self, environ: dict[str, Any]) -> Call | None:
        ask = self._reader.ask_of(environ["REQUEST_METHOD"], environ.get("QUERY_STRING", ""), environ)
        try:
            return None if ask is None else call_of(ask, environ.get("REMOTE_ADDR", ""))
        except CredentialsRefused:
            return None
