"""`/auth/...`: registering, tokens, the account, and its keys."""

from typing import Any, cast

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import examples
from accounts.api.permissions import PUBLIC
from accounts.api.serializers import (
    AccountOut,
    ApiKeyIn,
    ApiKeyOut,
    ApiKeysOut,
    NewApiKeyOut,
    PendingOut,
    RefreshIn,
    RegisteredOut,
    RegisterIn,
    SignInIn,
    TokensOut,
)
from accounts.login_throttle import count_registration, count_sign_in
from accounts.models import ApiKey, User
from accounts.principals import Principal
from accounts.selectors import keys_of
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.registration import register, register_unverified, signed_in
from accounts.services.tokens import end_family, open_family, renew_tokens
from accounts.wall_clock import utc_now
from marketdata.api.base import ApiView
from marketdata.api.schema import RESPONSE_HEADERS, problem_responses

LIMITS = RESPONSE_HEADERS[1:]
NOT_KEPT = {"Cache-Control": "no-store"}
PENDING = "A mail is on its way to this address. Confirm it, then sign in."


class Register(ApiView):
    """New accounts."""

    required_scope = PUBLIC

    @extend_schema(
        operation_id="register",
        tags=["accounts"],
        summary="Make an account and its first API key",
        description="The key is told this once. Where the site confirms addresses by mail the answer is `202`, the "
        "same for addresses that have an account, and keys are made after signing in.",
        request=RegisterIn,
        parameters=LIMITS,
        responses={201: RegisteredOut, 202: PendingOut, **problem_responses(400, 409, 429, 503)},
        examples=[
            OpenApiExample("Ada", value=examples.REGISTER, request_only=True),
            OpenApiExample("made", value=examples.REGISTERED, response_only=True, status_codes=["201"]),
            OpenApiExample("to be confirmed", value={"detail": PENDING}, response_only=True, status_codes=["202"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Count the attempt, then make the account."""
        asked = _valid(RegisterIn, request)
        email, password = asked["email"], asked["password"]
        count_registration(request._request, email)
        if _must_be_proven():
            register_unverified(request=request._request, email=email, password=password, now=utc_now())
            return Response({"detail": PENDING}, status=202, headers=NOT_KEPT)
        made = register(email=email, password=password, now=utc_now())
        body = {"account": AccountOut(made.user).data, "api_key": _told_once(made.key, made.key_text)}
        return Response(body, status=201, headers=NOT_KEPT)


class SignIn(ApiView):
    """Tokens for address and password."""

    required_scope = PUBLIC

    @extend_schema(
        operation_id="token",
        tags=["accounts"],
        summary="Sign in: a pair of tokens",
        request=SignInIn,
        parameters=LIMITS,
        responses={200: TokensOut, **problem_responses(400, 401, 403, 429, 503)},
        examples=[
            OpenApiExample("Ada", value=examples.SIGN_IN, request_only=True),
            OpenApiExample("tokens", value=examples.TOKENS, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Count the attempt, then look at the password."""
        asked = _valid(SignInIn, request)
        http, email = request._request, asked["email"]
        count_sign_in(http, email)
        user = signed_in(
            request=http,
            email=email,
            password=asked["password"],
            requires_verification=_must_be_proven(),
            now=utc_now(),
        )
        return Response(TokensOut(open_family(user=user, now=utc_now())).data, headers=NOT_KEPT)


class Refresh(ApiView):
    """New tokens for a refresh token."""

    required_scope = PUBLIC

    @extend_schema(
        operation_id="token_refresh",
        tags=["accounts"],
        summary="Renew tokens",
        description="Each refresh token is good for one renewal. One that is shown again ends the whole sign-in with "
        "every token that came of it, for somebody else may have it.",
        request=RefreshIn,
        parameters=LIMITS,
        responses={200: TokensOut, **problem_responses(400, 401, 429, 503)},
        examples=[
            OpenApiExample("a token", value=examples.REFRESH, request_only=True),
            OpenApiExample("tokens", value=examples.TOKENS, response_only=True, status_codes=["200"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Exchange the token."""
        pair = renew_tokens(refresh=_valid(RefreshIn, request)["refresh"], now=utc_now())
        return Response(TokensOut(pair).data, headers=NOT_KEPT)


class SignOut(ApiView):
    """The end of a sign-in."""

    required_scope = PUBLIC

    @extend_schema(
        operation_id="logout",
        tags=["accounts"],
        summary="Sign out: end a refresh token and all that came of it",
        request=RefreshIn,
        parameters=LIMITS,
        responses={204: OpenApiResponse(description="Ended, now or before."), **problem_responses(400, 401, 429, 503)},
        examples=[OpenApiExample("a token", value=examples.REFRESH, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        """End the family; access tokens of it are refused within a second."""
        end_family(refresh=_valid(RefreshIn, request)["refresh"], now=utc_now())
        return Response(status=204)


class Me(ApiView):
    """The account of the principal."""

    required_scope = "read"
    needs_account = True

    @extend_schema(
        operation_id="me",
        tags=["accounts"],
        summary="Your account and its limits",
        parameters=LIMITS,
        responses={200: AccountOut, **problem_responses(401, 403, 429, 503)},
        examples=[OpenApiExample("Ada", value=examples.ACCOUNT, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """Who the principal is."""
        return Response(AccountOut(request.user).data, headers=NOT_KEPT)


class Keys(ApiView):
    """The keys of the principal's account."""

    required_scope = "manage"

    @extend_schema(
        operation_id="api_keys",
        tags=["accounts"],
        summary="Your API keys",
        description="Without the keys themselves: each was told once, when it was made.",
        parameters=LIMITS,
        responses={200: ApiKeysOut, **problem_responses(401, 403, 429, 503)},
        examples=[
            OpenApiExample("one", value={"keys": [examples.KEY]}, response_only=True, status_codes=["200"]),
        ],
    )
    def get(self, request: Request) -> Response:
        """All keys, newest first."""
        return Response({"keys": ApiKeyOut(keys_of(_owner(request)), many=True).data}, headers=NOT_KEPT)

    @extend_schema(
        operation_id="make_api_key",
        tags=["accounts"],
        summary="Make an API key",
        description="The key is told this once. A key cannot make one that may do more than itself, "
        "or that outlives it. There may be 10 usable keys at a time, and 20 within a day.",
        request=ApiKeyIn,
        parameters=LIMITS,
        responses={201: NewApiKeyOut, **problem_responses(400, 401, 403, 409, 429, 503)},
        examples=[
            OpenApiExample("for reading", value=examples.NEW_KEY, request_only=True),
            OpenApiExample("made", value=examples.MADE_KEY, response_only=True, status_codes=["201"]),
        ],
    )
    def post(self, request: Request) -> Response:
        """Make one with the scopes that were asked for."""
        asked = _valid(ApiKeyIn, request)
        principal: Principal = request.auth  # type: ignore[assignment]  # as PrincipalAuthentication puts it there
        for scope in asked["scopes"]:
            principal.require(scope)
        row, text = create_api_key(owner=_owner(request), now=utc_now(), maker_id=principal.key_id, **asked)
        return Response(_told_once(row, text), status=201, headers=NOT_KEPT)


class Key(ApiView):
    """One key of the principal's account."""

    required_scope = "manage"

    @extend_schema(
        operation_id="revoke_api_key",
        tags=["accounts"],
        summary="Revoke an API key",
        description="Every process refuses it within a second. A key may revoke itself.",
        parameters=LIMITS,
        responses={
            204: OpenApiResponse(description="Revoked, now or before."),
            **problem_responses(401, 403, 404, 429, 503),
        },
    )
    def delete(self, request: Request, key_id: int) -> Response:
        """Revoke it; what belongs to others is not found."""
        revoke_api_key(owner=_owner(request), key_id=key_id, now=utc_now())
        return Response(status=204)


def _valid(form: type[Any], request: Request) -> dict[str, Any]:
    read = form(data=request.data)
    read.is_valid(raise_exception=True)
    values: dict[str, Any] = read.validated_data
    return values


def _owner(request: Request) -> User:
    """Whoever calls, as the scope `manage` makes sure that it is somebody."""
    return cast(User, request.user)


def _told_once(key: ApiKey, text: str) -> dict[str, Any]:
    return {**ApiKeyOut(key).data, "key": text}


def _must_be_proven() -> bool:
    return bool(settings.ACCOUNT_EMAIL_VERIFICATION == "mandatory")
