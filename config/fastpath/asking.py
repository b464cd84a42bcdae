"""What a call asks and who asks it, read from the raw request; None for whatever is unusual about it."""

from collections.abc import Mapping
from dataclasses import dataclass

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

READ_PATH = "/api/v1/predict"
LONGEST_QUERY = 100
MOST_REMEMBERED = 5_000
# Headers as WSGI names them: those that are read, and those that make Django answer otherwise.
READ = (
    "HTTP_HOST", "HTTP_X_API_KEY", "HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_IF_NONE_MATCH", "HTTP_X_REQUEST_ID",
    "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO",
)  # fmt: skip
UNUSUAL = ("HTTP_ORIGIN", "HTTP_TRANSFER_ENCODING", "HTTP_RANGE", "HTTP_EXPECT", "CONTENT_LENGTH")


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
        self._queries: dict[str, PredictQuery] = {}
        self._hosts: dict[str, bool] = {}
        self._is_real_time = settings.HINDCAST_MARKETDATA.clock == REAL_CLOCK
        self._proxy_header, self._proxy_word = settings.SECURE_PROXY_SSL_HEADER or ("", "")
        self._must_be_secure = settings.SECURE_SSL_REDIRECT
        self._session = settings.SESSION_COOKIE_NAME

    def call_of(self, method: str, query: str, peer: str, headers: Mapping[str, str]) -> Call | None:
        """The call, or None for one that Django has to look at; headers by their names in WSGI.

        Raises CredentialsRefused.
        """
        asked = self._queries.get(query) or self._asked(query)
        if asked is None or method != "GET" or not self._is_real_time:
            return None
        get = headers.get
        for name in UNUSUAL:
            if get(name):
                return None
        is_secure = bool(self._proxy_header) and get(self._proxy_header) == self._proxy_word
        if (self._must_be_secure and not is_secure) or not self._is_our_name(get("HTTP_HOST", "")):
            return None
        address = address_behind(peer, get("HTTP_X_FORWARDED_FOR", ""))
        caller = self._caller(headers, address)
        if caller is None or Scope.READ not in caller.scopes:
            return None
        request_id = accepted_id(get("HTTP_X_REQUEST_ID", ""))
        return Call(caller, address, asked, get("HTTP_IF_NONE_MATCH", ""), request_id, is_secure)

    def _caller(self, headers: Mapping[str, str], address: str) -> Caller | None:
        key, authorization = headers.get("HTTP_X_API_KEY", ""), headers.get("HTTP_AUTHORIZATION", "")
        if (not key and "HTTP_X_API_KEY" in headers) or (not authorization and "HTTP_AUTHORIZATION" in headers):
            return None
        if key or authorization:
            return known_caller(api_key=key, authorization=authorization)
        if self._session in headers.get("HTTP_COOKIE", ""):
            return None
        return anonymous_caller(address_bucket(address))

    def _asked(self, query: str) -> PredictQuery | None:
        """What the query asks; percent signs are for the gate in front of the views to judge."""
        if len(query) > LONGEST_QUERY or "%" in query or not query.isascii():
            return None
        try:
            asked = parse_query(QueryDict(query))
        except (BadRequest, SuspiciousOperation, MarketDataError, PredictionError):
            return None
        if len(self._queries) >= MOST_REMEMBERED:
            self._queries.clear()
        self._queries[query] = asked
        return asked

    def _is_our_name(self, host: str) -> bool:
        """Whether the site is called by a name of its own."""
        known = self._hosts.get(host)
        if known is None:
            domain, _ = split_domain_port(host)
            known = bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)
            if len(self._hosts) >= MOST_REMEMBERED:
                self._hosts.clear()
            self._hosts[host] = known
        return known
