"""Serializers of the account endpoints."""

from datetime import timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as PasswordProblem
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.errors import ExpiryTooLate, WeakPassword
from accounts.models import ApiKey, Scope, User
from accounts.password_validation import MAX_PASSWORD_CHARACTERS
from accounts.wall_clock import utc_now
from marketdata.api.base import RequestBody
from marketdata.api.fields import SingleLineText, StrictBoolean, StrictText

MAX_EMAIL_CHARACTERS = 254
MIN_PASSWORD_CHARACTERS = 8
MAX_KEY_LIFE_DAYS = 3650


@extend_schema_field({"type": "boolean", "const": True})
class Consent(StrictBoolean):
    """A flag that must be true."""

    def to_internal_value(self, data: Any) -> bool:
        """Refuse false."""
        if not super().to_internal_value(data):
            raise serializers.ValidationError("Accept the terms to create an account.")
        return True


class RegisterIn(RequestBody):
    """E-mail address, password and acceptance of the terms."""

    email = serializers.EmailField(max_length=MAX_EMAIL_CHARACTERS)
    password = StrictText(min_length=MIN_PASSWORD_CHARACTERS, max_length=MAX_PASSWORD_CHARACTERS, write_only=True)
    accepts_terms = Consent(help_text="Acceptance of the terms of use and the disclaimer on this site.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Apply the password rules of the website. Raises WeakPassword."""
        try:
            validate_password(attrs["password"], User(email=attrs["email"]))
        except PasswordProblem as problem:
            raise WeakPassword(problem.messages) from problem
        return attrs


class SignInIn(RequestBody):
    """E-mail address and password."""

    email = serializers.EmailField(max_length=MAX_EMAIL_CHARACTERS)
    password = StrictText(max_length=MAX_PASSWORD_CHARACTERS, write_only=True)


class RefreshIn(RequestBody):
    """A refresh token."""

    refresh = StrictText(max_length=2000)


class TokensOut(serializers.Serializer):
    """A pair of tokens: send `access` as `Authorization: Bearer`; `refresh` renews the pair once."""

    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField(default="Bearer", help_text="Always `Bearer`.")
    expires_in = serializers.IntegerField(source="expires_in_s", help_text="Lifetime of `access` in seconds.")


class AccountOut(serializers.ModelSerializer):
    """An account and the limits of its plan (null: no limit)."""

    per_minute = serializers.IntegerField(source="plan.per_minute", allow_null=True)
    per_day = serializers.IntegerField(source="plan.per_day", allow_null=True)
    plan = serializers.CharField(source="plan_id")

    class Meta:
        model = User
        fields = ("id", "email", "plan", "per_minute", "per_day", "is_staff", "date_joined")


class ApiKeyOut(serializers.ModelSerializer):
    """An API key without its secret text."""

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=Scope.choices))
    state = serializers.SerializerMethodField()

    class Meta:
        model = ApiKey
        fields = (
            "id", "name", "prefix", "scopes", "state", "created_at", "expires_at", "last_used_at", "revoked_at",
        )  # fmt: skip

    def get_state(self, key: ApiKey) -> str:
        """Return `active`, `expired` or `revoked`."""
        return key.state_at(utc_now())


class NewApiKeyOut(ApiKeyOut):
    """A new API key; `key` is shown once."""

    key = serializers.CharField()

    class Meta(ApiKeyOut.Meta):
        fields = (*ApiKeyOut.Meta.fields, "key")  # type: ignore[assignment]  # adds a field


class ApiKeysOut(serializers.Serializer):
    """All keys of an account, newest first."""

    keys = ApiKeyOut(many=True)


class RegisteredOut(serializers.Serializer):
    """A new account and its first key."""

    account = AccountOut()
    api_key = NewApiKeyOut()


class RegistrationPendingOut(serializers.Serializer):
    """The response while an address awaits verification, whether or not it has an account."""

    detail = serializers.CharField()


class ApiKeyIn(RequestBody):
    """Name, permissions and expiry of a new key."""

    name = SingleLineText(max_length=60)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), min_length=1, max_length=len(Scope), default=["read"]
    )
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)

    def validate_expires_at(self, instant: Any) -> Any:
        """Require a future instant within the longest lifetime. Raises ExpiryTooLate."""
        if instant is None:
            return None
        now = utc_now()
        if not now < instant <= now + timedelta(days=MAX_KEY_LIFE_DAYS):
            raise ExpiryTooLate(MAX_KEY_LIFE_DAYS)
        return instant
