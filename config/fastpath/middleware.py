"""`GET /api/v1/predict` in `web`: plain calls are answered before any other middleware has seen them."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from accounts.callers import Caller
from accounts.errors import CredentialsRefused
from accounts.limits import allowance_of
from accounts.usage import USAGE
from config.fastpath.answers import ENDPOINT, Answers, Reply, is_fresh
from config.fastpath.asking import READ_PATH, Reader
from config.fastpath.tally import count_told, kind_of
from predictions.api.predict import SEEN
from predictions.readpath.cache import COUNTED, asked, look_of


class PlainReadMiddleware:
    """Stands first. Every other path, and whatever is unusual about a call, goes on to the rest of Django."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._reader = Reader()
        self._answers = Answers(_count)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == READ_PATH and SEEN not in request.META:
            reply = self._reply(request)
            if reply is not None:
                return _response(reply)
        return self.get_response(request)

    def _reply(self, request: HttpRequest) -> Reply | None:
        """The answer, or None for a call that the view has to look at; what is known of it stands in its META."""
        began, meta = time.perf_counter(), request.META
        try:
            call = self._reader.call_of(
                meta["REQUEST_METHOD"], meta.get("QUERY_STRING", ""), meta.get("REMOTE_ADDR", ""), meta
            )
        except CredentialsRefused:
            call = None
        found = None if call is None else asked(call.caller, call.query.symbol, call.query.horizon)
        if call is None or found is None:
            return None
        allowance = allowance_of(call.caller, found[:COUNTED])
        if allowance.refused_by is not None:
            return self._answers.refused(call, allowance, began)
        if not is_fresh(found):
            meta[SEEN] = look_of(call.caller, found)
            return None
        count_told(kind_of(call, found))
        return self._answers.told(call, allowance, found, began)


def _count(caller: Caller, status: int) -> None:
    USAGE.count(caller, ENDPOINT, status)


def _response(reply: Reply) -> HttpResponse:
    response = HttpResponse(reply.body, status=reply.status)
    del response["Content-Type"]
    for name, value in reply.headers:
        response[name.decode()] = value.decode()
    return response
