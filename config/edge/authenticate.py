"""Authenticate parsed requests with what this process has cached about keys and tokens."""

from dataclasses import dataclass

from accounts.callers import Caller, anonymous_caller, known_caller
from accounts.errors import CredentialsRefused
from accounts.limits import address_behind, address_bucket
from accounts.models import Scope
from config.edge.parse import ParsedRequest
from config.http.request_log import new_id


@dataclass(slots=True)
class AuthenticatedRequest:
    """A parsed request, its caller and the client's address."""

    parsed: ParsedRequest
    caller: Caller
    address: str
    request_id: str


def authenticate(parsed: ParsedRequest, peer: str) -> AuthenticatedRequest | None:
    """Return the request with its caller; None when Django has to identify or refuse the caller."""
    address = address_behind(peer, parsed.forwarded_for)
    if parsed.key_digest or parsed.token:
        try:
            caller = known_caller(digest=parsed.key_digest, token=parsed.token)
        except CredentialsRefused:
            return None
    else:
        caller = anonymous_caller(address_bucket(address))
    if caller is None or Scope.READ not in caller.scopes:
        return None
    return AuthenticatedRequest(parsed, caller, address, parsed.request_id or new_id())
