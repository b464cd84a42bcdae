"""Parse calls of `GET /api/v1/predict` from raw headers."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http.request import split_domain_port, validate_host

from accounts.principals import bearer_token, key_digest
from config.http.request_log import valid_request_id
from marketdata.conf import REAL_CLOCK
from marketdata.errors import MarketDataError
from predictions.api.predict import PredictQuery, parse_query
from predictions.errors import PredictionError

PREDICT_PATH = "/api/v1/predict"
LONGEST_QUERY = 100
CACHE_SIZE = 5_000
READ_HEADERS = (
    b"host", b"x-api-key", b"authorization", b"cookie", b"if-none-match", b"x-request-id", b"x-forwarded-for",
)  # fmt: skip
# Headers that change the answer or the connection in a way that only Django or the server handles.
DJANGO_HEADERS = (b"origin", b"range", b"expect", b"upgrade", b"content-length", b"transfer-encoding")


@dataclass(slots=True)
class ParsedRequest:
    """A request for a forecast; texts are empty where the client sent none. At most one of key and token is set."""

    query: PredictQuery
    key_digest: str
    token: str
    forwarded_for: str
    if_none_match: str
    request_id: str
    is_secure: bool


class RequestParser:
    """Parses requests that need nothing but the cached forecast; queries and hosts are cached."""

    def __init__(self) -> None:
        self._hosts: dict[str, bool] = {}
        self._is_real_time = settings.HINDCAST_MARKETDATA.clock == REAL_CLOCK
        name, self._secure_value = settings.SECURE_PROXY_SSL_HEADER or ("", "")
        self._secure_header = name.removeprefix("HTTP_").lower().replace("_", "-").encode()
        self._is_read = dict.fromkeys((*READ_HEADERS, self._secure_header), True) | dict.fromkeys(DJANGO_HEADERS, False)
        self._must_be_secure = settings.SECURE_SSL_REDIRECT
        self._session_cookie = settings.SESSION_COOKIE_NAME

    def parse(
        self, method: str, path: str, query: bytes, headers: Iterable[tuple[bytes, bytes]]
    ) -> ParsedRequest | None:
        """Return the request, or None when Django has to answer it; `headers` have lower-case names."""
        if path != PREDICT_PATH or method != "GET" or not self._is_real_time:
            return None
        values: dict[bytes, str] = {}
        for name, value in headers:
            is_read = self._is_read.get(name)
            if is_read is None:
                continue
            if not is_read or name in values:
                return None
            values[name] = value.decode("latin-1")
        predict_query = _parse_query(query)
        get = values.get
        is_secure = get(self._secure_header) == self._secure_value if self._secure_header else False
        credentials = self._credentials(get(b"x-api-key"), get(b"authorization"), get(b"cookie", ""))
        if (
            predict_query is None
            or credentials is None
            or (self._must_be_secure and not is_secure)
            or not self._is_allowed_host(get(b"host", ""))
        ):
            return None
        request_id = valid_request_id(get(b"x-request-id", ""))
        forwarded, if_none_match = get(b"x-forwarded-for", ""), get(b"if-none-match", "")
        return ParsedRequest(predict_query, *credentials, forwarded, if_none_match, request_id, is_secure)

    def _credentials(self, key: str | None, authorization: str | None, cookie: str) -> tuple[str, str] | None:
        """Return key digest and token; None for credentials that are malformed or of another kind."""
        if key is not None:
            digest = key_digest(key)
            return None if digest is None or authorization == "" else (digest, "")
        if authorization is not None:
            token = bearer_token(authorization)
            return ("", token) if token else None
        return None if self._session_cookie in cookie else ("", "")

    def _is_allowed_host(self, host: str) -> bool:
        is_allowed = self._hosts.get(host)
        if is_allowed is None:
            domain, _ = split_domain_port(host)
            is_allowed = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
            if len(self._hosts) >= CACHE_SIZE:
                self._hosts.clear()
            self._hosts[host] = is_allowed
        return is_allowed


def _parse_query(query: bytes) -> PredictQuery | None:
    # Django's middleware judges percent-encoding.
    if len(query) > LONGEST_QUERY or b"%" in query or not query.isascii():
        return None
    try:
        return parse_query(query.decode())
    except (BadRequest, SuspiciousOperation, MarketDataError, PredictionError):
        return None
