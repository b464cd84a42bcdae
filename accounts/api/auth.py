"""`/auth/...`: registration, tokens, the account, and its API keys."""

from typing import Any, cast

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.permissions import PUBLIC
from accounts.api.schema import account_operation
from accounts.api.serializers import (
    AccountOut,
    ApiKeyIn,
    ApiKeyOut,
    ApiKeysOut,
    NewApiKeyOut,
    RefreshIn,
    RegisteredOut,
    RegisterIn,
    RegistrationPendingOut,
    SignInIn,
    TokensOut,
)
from accounts.known_devices import remember_device, set_device_cookie
from accounts.login_throttle import count_registration, count_sign_in, uncount_sign_in
from accounts.models import ApiKey, User
from accounts.principals import Principal
from accounts.selectors import keys_of
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.registration import authenticate_user, register, register_unverified
from accounts.services.tokens import end_family, open_family, renew_tokens
from accounts.wall_clock import utc_now
from marketdata.api.base import ApiView

NO_STORE = {"Cache-Control": "no-store"}
PENDING = {"detail": "We have sent an e-mail to this address. Confirm the address, then sign in."}


class RegisterView(ApiView):
    """Create accounts."""

    required_scope = PUBLIC

    @account_operation(
        "register",
        "Create an account and its first API key",
        "The key is shown once. If the site verifies e-mail addresses, the response is `202`, also for addresses that "
        "have an account; create keys after signing in.",
        request=(RegisterIn, examples.REGISTER),
        responses={201: (RegisteredOut, examples.REGISTERED), 202: (RegistrationPendingOut, PENDING)},
        problems=(400, 409, 429, 503),
    )
    def post(self, request: Request) -> Response:
        """Create the account, or send the verification e-mail."""
        fields = _validated(RegisterIn, request)
        email, password = fields["email"], fields["password"]
        count_registration(request._request, email)
        if _requires_verification():
            register_unverified(request=request._request, email=email, password=password, now=utc_now())
            return Response(PENDING, status=202, headers=NO_STORE)
        created = register(email=email, password=password, now=utc_now())
        body = {"account": AccountOut(created.user).data, "api_key": _with_key_text(created.key, created.key_text)}
        return Response(body, status=201, headers=NO_STORE)


class TokenView(ApiView):
    """Issue tokens."""

    required_scope = PUBLIC

    @account_operation(
        "token",
        "Sign in",
        "Sign in with e-mail and password; returns an access and a refresh token. Wrong passwords are limited by "
        "account and network. The cookie `known_device` of a successful sign-in exempts later ones from the limits.",
        request=(SignInIn, examples.SIGN_IN),
        responses={200: (TokensOut, examples.TOKENS)},
        problems=(400, 401, 403, 429, 503),
    )
    def post(self, request: Request) -> Response:
        """Sign in with e-mail and password."""
        fields = _validated(SignInIn, request)
        http, email = request._request, fields["email"]
        count_sign_in(http, email)
        user = authenticate_user(
            request=http,
            email=email,
            password=fields["password"],
            requires_verification=_requires_verification(),
            now=utc_now(),
        )
        uncount_sign_in(http)
        remember_device(http, user.pk)
        response = Response(TokensOut(open_family(user=user, now=utc_now())).data, headers=NO_STORE)
        set_device_cookie(http, response)
        return response


class TokenRefreshView(ApiView):
    """Renew tokens."""

    required_scope = PUBLIC

    @account_operation(
        "token_refresh",
        "Renew tokens",
        "Refresh tokens are single-use. Reusing one revokes the whole session, as it may have been stolen.",
        request=(RefreshIn, examples.REFRESH),
        responses={200: (TokensOut, examples.TOKENS)},
        problems=(400, 401, 429, 503),
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for new tokens."""
        pair = renew_tokens(refresh=_validated(RefreshIn, request)["refresh"], now=utc_now())
        return Response(TokensOut(pair).data, headers=NO_STORE)


class LogoutView(ApiView):
    """Revoke tokens."""

    required_scope = PUBLIC

    @account_operation(
        "logout",
        "Sign out",
        "Revokes the session; its access tokens stop working within a second.",
        request=(RefreshIn, examples.REFRESH),
        responses={204: "Signed out (idempotent)."},
        problems=(400, 401, 429, 503),
    )
    def post(self, request: Request) -> Response:
        """Revoke the refresh token's session."""
        end_family(refresh=_validated(RefreshIn, request)["refresh"], now=utc_now())
        return Response(status=204)


class AccountView(ApiView):
    """Read the caller's account."""

    required_scope = "read"
    needs_account = True

    @account_operation(
        "me",
        "Get your account",
        "Returns your account and the limits of its plan.",
        responses={200: (AccountOut, examples.ACCOUNT)},
        problems=(401, 403, 429, 503),
    )
    def get(self, request: Request) -> Response:
        """Return the caller's account."""
        return Response(AccountOut(request.user).data, headers=NO_STORE)


class ApiKeyListView(ApiView):
    """List and create the caller's keys."""

    required_scope = "manage"

    @account_operation(
        "api_keys",
        "List your API keys",
        "Lists your keys, newest first, without their secret text.",
        responses={200: (ApiKeysOut, {"keys": [examples.KEY]})},
        problems=(401, 403, 429, 503),
    )
    def get(self, request: Request) -> Response:
        """List all keys, newest first."""
        return Response({"keys": ApiKeyOut(keys_of(_owner(request)), many=True).data}, headers=NO_STORE)

    @account_operation(
        "make_api_key",
        "Create an API key",
        "The key is shown once. A key cannot create one with more permissions or a later expiry than its own. An "
        "account may have 10 usable keys at a time, and 20 within a day; they share the limits of its plan.",
        request=(ApiKeyIn, examples.NEW_KEY),
        responses={201: (NewApiKeyOut, examples.CREATED_KEY)},
        problems=(400, 401, 403, 409, 429, 503),
    )
    def post(self, request: Request) -> Response:
        """Create a key with the requested scopes."""
        fields = _validated(ApiKeyIn, request)
        principal: Principal = request.auth  # type: ignore[assignment]  # set by PrincipalAuthentication
        for scope in fields["scopes"]:
            principal.require(scope)
        row, text = create_api_key(owner=_owner(request), now=utc_now(), creator_id=principal.key_id, **fields)
        return Response(_with_key_text(row, text), status=201, headers=NO_STORE)


class ApiKeyView(ApiView):
    """Revoke one of the caller's keys."""

    required_scope = "manage"

    @account_operation(
        "revoke_api_key",
        "Revoke an API key",
        "The key stops working within a second. A key may revoke itself.",
        responses={204: "Revoked (idempotent)."},
        problems=(401, 403, 404, 429, 503),
    )
    def delete(self, request: Request, key_id: int) -> Response:
        """Revoke the key; keys of other accounts are not found."""
        revoke_api_key(owner=_owner(request), key_id=key_id, now=utc_now())
        return Response(status=204)


def _validated(serializer_class: type[Any], request: Request) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    fields: dict[str, Any] = serializer.validated_data
    return fields


def _owner(request: Request) -> User:
    """Return the user; the scope `manage` excludes anonymous callers."""
    return cast(User, request.user)


def _with_key_text(key: ApiKey, text: str) -> dict[str, Any]:
    return {**ApiKeyOut(key).data, "key": text}


def _requires_verification() -> bool:
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory")
