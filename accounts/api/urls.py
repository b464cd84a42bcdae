"""Paths of accounts under `/api/v1/`."""

from django.urls import path

from accounts.api.auth import Key, Keys, Me, Refresh, Register, SignIn, SignOut
from accounts.api.usage import UsageView

app_name = "accounts-api"
urlpatterns = [
    path("auth/register", Register.as_view(), name="register"),
    path("auth/token", SignIn.as_view(), name="token"),
    path("auth/token/refresh", Refresh.as_view(), name="refresh"),
    path("auth/logout", SignOut.as_view(), name="logout"),
    path("auth/me", Me.as_view(), name="me"),
    path("auth/keys", Keys.as_view(), name="keys"),
    path("auth/keys/<int:key_id>", Key.as_view(), name="key"),
    path("usage", UsageView.as_view(), name="usage"),
]
