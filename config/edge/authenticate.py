"""Authenticate parsed requests with what this process has cached about keys and tokens."""

from dataclasses import dataclass

from accounts.errors import InvalidCredentials
from accounts.limits import address_behind, address_bucket
from accounts.models import Scope
from accounts.principals import Principal, anonymous_principal, cached_principal
from config.edge.parse import ParsedRequest
from config.http.request_log import new_request_id


@dataclass(slots=True)
class AuthenticatedRequest:
    """A parsed request, its caller and the client's address."""

    parsed: ParsedRequest
    caller: Principal
    address: str
    request_id: str


def authenticate(parsed: ParsedRequest, peer: str) -> AuthenticatedRequest | None:
    """Return the request with its caller; None when Django has to identify or refuse the caller."""
    address = address_behind(peer, parsed.forwarded_for)
    if parsed.key_digest or parsed.token:
        try:
            caller = cached_principal(digest=parsed.key_digest, token=parsed.token)
        except InvalidCredentials:
            return None
    else:
        caller = anonymous_principal(address_bucket(address))
    if caller is None or Scope.READ not in caller.scopes:
        return None
    return AuthenticatedRequest(parsed, caller, address, parsed.request_id or new_request_id())
