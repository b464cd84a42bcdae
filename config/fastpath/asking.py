"""What a call asks and who asks it, read from the raw request; None for whatever is unusual about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host

from accounts.callers import Caller, anonymous_caller, known_caller
from accounts.limits import address_behind, address_bucket
from accounts.models import Scope
from config.request_log import accepted_id
from marketdata.conf import REAL_CLOCK
from marketdata.errors import MarketDataError
from predictions.api.predict import PredictQuery, parse_query
from predictions.errors import PredictionError

LONGEST_QUERY = 100
MOST_REMEMBERED = 5_000
READ = (
    b"host", b"x-api-key", b"authorization", b"cookie", b"if-none-match", b"x-request-id", b"x-forwarded-for",
    b"x-forwarded-proto",
)  # fmt: skip
# These make Django answer otherwise than by the plain forecast.
UNUSUAL = (b"origin", b"transfer-encoding", b"content-length", b"range", b"expect")
_INTERESTING = frozenset(READ + UNUSUAL)
_UNUSUAL = frozenset(UNUSUAL)


@dataclass(slots=True)
class Call:
    """A plain call: one forecast for a caller this process knows."""

    caller: Caller
    address: str
    query: PredictQuery
    offered: str
    request_id: str
    is_secure: bool


class Reader:
    """Reads calls; what it finds out about a query or a host it remembers."""

    def __init__(self) -> None:
        self._queries: dict[bytes, PredictQuery | None] = {}
        self._hosts: dict[bytes, bool] = {}
        self._is_real_time = settings.HINDCAST_MARKETDATA.clock == REAL_CLOCK
        self._proto = getattr(settings, "SECURE_PROXY_SSL_HEADER", None)
        self._session = settings.SESSION_COOKIE_NAME.encode()

    def call_of(self, scope: Mapping[str, Any]) -> Call | None:
        """The call, or None for one that Django has to look at. Raises CredentialsRefused."""
        query = self._query(scope["query_string"])
        if query is None or scope["method"] != "GET" or not self._is_real_time:
            return None
        found: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            if name in _INTERESTING:
                if name in found or name in _UNUSUAL:
                    return None
                found[name] = value
        get = found.get
        is_secure = self._proto is not None and get(b"x-forwarded-proto") == self._proto[1].encode()
        if not self._is_welcome(get(b"host", b""), is_secure):
            return None
        client = scope.get("client")
        address = address_behind(client[0] if client else "", get(b"x-forwarded-for", b"").decode("latin-1"))
        caller = self._caller(found, address)
        if caller is None or Scope.READ not in caller.scopes:
            return None
        offered = get(b"if-none-match", b"").decode("latin-1")
        request_id = accepted_id(get(b"x-request-id", b"").decode("latin-1"))
        return Call(caller, address, query, offered, request_id, is_secure)

    def _caller(self, found: Mapping[bytes, bytes], address: str) -> Caller | None:
        key, authorization = found.get(b"x-api-key", b""), found.get(b"authorization", b"")
        if key or authorization:
            return known_caller(api_key=key.decode("latin-1"), authorization=authorization.decode("latin-1"))
        if self._session in found.get(b"cookie", b""):
            return None
        return anonymous_caller(address_bucket(address))

    def _query(self, text: bytes) -> PredictQuery | None:
        known = self._queries.get(text)
        if known is not None:
            return known
        # Percent signs are for the gate in front of the views to judge.
        if len(text) > LONGEST_QUERY or b"%" in text or not text.isascii():
            return None
        try:
            query = parse_query(QueryDict(text.decode()))
        except (BadRequest, SuspiciousOperation, MarketDataError, PredictionError):
            return None
        if len(self._queries) >= MOST_REMEMBERED:
            self._queries.clear()
        self._queries[text] = query
        return query

    def _is_welcome(self, host: bytes, is_secure: bool) -> bool:
        """Whether the site is called by a name of its own, and encrypted where it insists on that."""
        if settings.SECURE_SSL_REDIRECT and not is_secure:
            return False
        known = self._hosts.get(host)
        if known is None:
            domain, _ = split_domain_port(host.decode("latin-1"))
            known = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
            if len(self._hosts) >= MOST_REMEMBERED:
                self._hosts.clear()
            self._hosts[host] = known
        return known
