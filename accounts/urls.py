"""Paths of the pages of an account that sign-in itself does not bring; the texts stand beside `/`."""

from django.urls import path

from accounts.views import account_settings, agreement, delete, key_revoke, keys, text

app_name = "accounts"
urlpatterns = [
    path("accounts/", account_settings, name="settings"),
    path("accounts/agreement", agreement, name="agreement"),
    path("accounts/delete", delete, name="delete"),
    path("accounts/keys", keys, name="keys"),
    path("accounts/keys/<int:pk>/revoke", key_revoke, name="key_revoke"),
    path("terms", text, {"slug": "terms"}, name="terms"),
    path("disclaimer", text, {"slug": "disclaimer"}, name="disclaimer"),
    path("privacy", text, {"slug": "privacy"}, name="privacy"),
]
