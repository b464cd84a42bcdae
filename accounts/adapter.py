"""How sign-in fits into this site."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from accounts.limits import client_address


class AccountAdapter(DefaultAccountAdapter):
    """Counts attempts to sign in by the same address as every other call."""

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address, as far as the proxies in front may name it."""
        return client_address(request)
