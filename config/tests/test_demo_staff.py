"""The demo's staff account: created once, with a password and a key that are shown once."""

import pytest

from accounts.keys import digest_of, validated_key
from accounts.models import ApiKey, User
from accounts.principals import current_pepper
from config.devserver.demo import ensure_staff, key_line, login_line

pytestmark = pytest.mark.django_db


def test_the_staff_password_and_key_are_shown_once() -> None:
    first = ensure_staff()
    user = User.objects.get()
    assert first.password is not None
    assert first.api_key is not None
    assert user.check_password(first.password)
    assert (user.is_superuser, user.plan_id) == (True, "unlimited")
    assert ApiKey.objects.get(digest=digest_of(validated_key(first.api_key), current_pepper().secret)).owner == user
    assert first.api_key in key_line(8000, first)
    again = ensure_staff()
    assert (again.password, again.api_key) == (None, None)
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 1)
    assert "first start" in login_line(8000, again)
    assert "/accounts/keys" in key_line(8000, again)
