"""Users, identified by e-mail address in any case."""

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from accounts.models import Plan, User

pytestmark = pytest.mark.django_db

PASSWORD = "correct horse battery"


@pytest.fixture
def staff(client: Client) -> Client:
    """A browser in which someone is signed in who may do everything."""
    client.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    return client


def test_email_is_stored_in_lower_case() -> None:
    assert get_user_model() is User
    user = User.objects.create_user("Ada@Example.COM", PASSWORD)
    assert (user.email, str(user), user.is_staff, user.is_superuser) == ("ada@example.com",) * 2 + (False, False)


def test_user_needs_an_email() -> None:
    with pytest.raises(ValueError, match="Set an e-mail address"):
        User.objects.create_user("", PASSWORD)


def test_superuser_has_every_permission() -> None:
    user = User.objects.create_superuser("root@example.com", PASSWORD, is_staff=False)
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_email_is_unique_ignoring_case() -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("ADA@example.com", PASSWORD)
    with pytest.raises(IntegrityError, match="user_email_ci_unique"), transaction.atomic():
        User(email="Ada@example.com", password="!").save()


@pytest.mark.parametrize("spelling", ["ada@example.com", "Ada@Example.com"])
def test_sign_in_ignores_case(spelling: str) -> None:
    user = User.objects.create_user("ada@example.com", PASSWORD)
    assert authenticate(request=None, username=spelling, password=PASSWORD) == user
    assert User.objects.get_by_natural_key(spelling) == user
    assert authenticate(request=None, username=spelling, password="wrong") is None


def test_form_lower_cases_the_email() -> None:
    user = User(email="Ada@Example.com", password="!")
    user.full_clean()
    assert user.email == "ada@example.com"
    user.save()
    with pytest.raises(ValidationError, match="already exists"):
        User(email="ADA@example.com", password="!").full_clean()


def test_staff_search_users_by_email(staff: Client) -> None:
    User.objects.create_user("ada@example.com", PASSWORD)
    page = staff.get(reverse("admin:accounts_user_changelist"), {"q": "ada@"})
    assert page.status_code == 200
    assert [user.email for user in page.context["cl"].result_list] == ["ada@example.com"]
    assert b"username" not in page.content.lower()


def test_staff_create_a_user_by_email(staff: Client) -> None:
    form = {
        "email": "Grace@Example.com",
        "usable_password": "true",
        "password1": PASSWORD,
        "password2": PASSWORD,
    }
    assert staff.get(reverse("admin:accounts_user_add")).status_code == 200
    answer = staff.post(reverse("admin:accounts_user_add"), form)
    grace = User.objects.get(email="grace@example.com")
    assert answer.status_code == 302
    assert grace.check_password(PASSWORD)


def test_staff_can_open_a_user_and_the_groups(staff: Client) -> None:
    user = User.objects.create_user("ada@example.com", PASSWORD)
    page = staff.get(reverse("admin:accounts_user_change", args=[user.pk]))
    assert page.status_code == 200
    assert b"ada@example.com" in page.content
    assert staff.get(reverse("admin:auth_group_changelist")).status_code == 200


def test_plan_without_any_call_is_refused(staff: Client) -> None:
    address = reverse("admin:accounts_plan_change", args=["free"])
    page = staff.post(address, {"per_minute": "0", "per_day": ""}).content.decode()
    assert "greater than or equal to 1" in page
    assert "plan_limits_allow" not in page
    assert staff.post(address, {"per_minute": "1", "per_day": ""}).status_code == 302
    assert Plan.objects.get(pk="free").per_minute == 1


def test_anonymous_plan_can_be_changed(staff: Client) -> None:
    address = reverse("admin:accounts_plan_change", args=["anonymous"])
    assert b'name="per_minute"' in staff.get(address).content
    assert staff.post(address, {"per_minute": "12", "per_day": "500"}).status_code == 302
    plan = Plan.objects.get(pk="anonymous")
    assert (plan.per_minute, plan.per_day) == (12, 500)
    assert staff.post(reverse("admin:accounts_plan_delete", args=["anonymous"]), {"post": "yes"}).status_code == 403
    assert ">12<" in staff.get(reverse("admin:accounts_plan_changelist")).content.decode()


def test_admin_requires_staff(client: Client) -> None:
    client.force_login(User.objects.create_user("ada@example.com", PASSWORD))
    assert client.get(reverse("admin:accounts_user_changelist")).status_code == 302
