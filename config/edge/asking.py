"""What a call asks and who asks it, read from the raw request; None for whatever is unusual about it."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import QueryDict
from django.http.request import split_domain_port, validate_host

from accounts.limits import address_behind, address_bucket
from accounts.models import Scope
from accounts.principals import Principal, anonymous_principal, bearer_token, cached_principal, key_digest
from config.http.request_log import new_request_id, valid_request_id
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
# The same headers by their names in ASGI.
WSGI_NAMES = {name.removeprefix("HTTP_").lower().replace("_", "-").encode(): name for name in READ + UNUSUAL}


@dataclass(slots=True)
class Ask:
    """What a plain request says, whenever and from wherever it comes; empty texts were not sent."""

    query: PredictQuery
    digest: str
    token: str
    forwarded: str
    offered_tag: str
    valid_request_id: str
    is_secure: bool


@dataclass(slots=True)
class Call:
    """A plain request of a caller this process knows."""

    ask: Ask
    caller: Principal
    address: str
    request_id: str

    @property
    def query(self) -> PredictQuery:
        return self.ask.query


class Reader:
    """Reads calls; what it finds out about a query or a host it remembers."""

    def __init__(self) -> None:
        self._queries: dict[str, PredictQuery] = {}
        self._hosts: dict[str, bool] = {}
        self._is_real_time = settings.HINDCAST_MARKETDATA.clock == REAL_CLOCK
        self._proxy_header, self._proxy_word = settings.SECURE_PROXY_SSL_HEADER or ("", "")
        self._must_be_secure = settings.SECURE_SSL_REDIRECT
        self._session = settings.SESSION_COOKIE_NAME

    def ask_of(self, method: str, query: str, headers: Mapping[str, str]) -> Ask | None:
        """What is asked, or None for a request that Django has to look at; headers by their names in WSGI."""
        asked = self._queries.get(query) or self._asked(query)
        if asked is None or method != "GET" or not self._is_real_time:
            return None
        get = headers.get
        if any(map(get, UNUSUAL)):
            return None
        is_secure = bool(self._proxy_header) and get(self._proxy_header) == self._proxy_word
        if (self._must_be_secure and not is_secure) or not self._is_our_name(get("HTTP_HOST", "")):
            return None
        shown = self._shown(headers)
        if shown is None:
            return None
        return Ask(
            asked, *shown, get("HTTP_X_FORWARDED_FOR", ""), get("HTTP_IF_NONE_MATCH", ""),
            valid_request_id(get("HTTP_X_REQUEST_ID", "")), is_secure,
        )  # fmt: skip

    def _shown(self, headers: Mapping[str, str]) -> tuple[str, str] | None:
        """The digest of a key or else a token; None where there is neither in one of their places, or a session."""
        key, authorization = headers.get("HTTP_X_API_KEY"), headers.get("HTTP_AUTHORIZATION")
        if key is not None:
            digest = key_digest(key)
            return None if digest is None or authorization == "" else (digest, "")
        if authorization is not None:
            token = bearer_token(authorization)
            return None if not token else ("", token)
        return None if self._session in headers.get("HTTP_COOKIE", "") else ("", "")

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


def call_of(ask: Ask, peer: str) -> Call | None:
    """The call of whoever asks; None when Django has to find out who that is. Raises InvalidCredentials."""
    address = address_behind(peer, ask.forwarded)
    caller: Principal | None
    if ask.digest or ask.token:
        caller = cached_principal(digest=ask.digest, token=ask.token)
    else:
        caller = anonymous_principal(address_bucket(address))
    if caller is None or Scope.READ not in caller.scopes:
        return None
    return Call(ask, caller, address, ask.valid_request_id or new_request_id())
