"""URLs of the account pages and legal documents."""

from django.urls import path

from accounts import api_key_views
from accounts.views import account_settings, agreement, delete, text

app_name = "accounts"
urlpatterns = [
    path("accounts/", account_settings, name="settings"),
    path("accounts/agreement", agreement, name="agreement"),
    path("accounts/delete", delete, name="delete"),
    path("accounts/keys", api_key_views.keys, name="keys"),
    path("accounts/keys/<int:key_id>/revoke", api_key_views.revoke, name="revoke-key"),
    path("accounts/usage", api_key_views.usage, name="usage"),
    path("terms", text, {"slug": "terms"}, name="terms"),
    path("disclaimer", text, {"slug": "disclaimer"}, name="disclaimer"),
    path("privacy", text, {"slug": "privacy"}, name="privacy"),
]
