"""URLs of accounts under `/api/v1/`."""

from django.urls import path

from accounts.api import auth
from accounts.api.usage import UsageView

app_name = "accounts-api"
urlpatterns = [
    path("auth/register", auth.RegisterView.as_view(), name="register"),
    path("auth/token", auth.TokenView.as_view(), name="token"),
    path("auth/token/refresh", auth.TokenRefreshView.as_view(), name="refresh"),
    path("auth/logout", auth.LogoutView.as_view(), name="logout"),
    path("auth/me", auth.AccountView.as_view(), name="me"),
    path("auth/keys", auth.ApiKeyListView.as_view(), name="keys"),
    path("auth/keys/<int:key_id>", auth.ApiKeyView.as_view(), name="key"),
    path("usage", UsageView.as_view(), name="usage"),
]
