"""How sign-in fits into this site: who is asked for what, what is recorded, who may vouch for whom."""

from smtplib import SMTPException
from typing import Any, ClassVar

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.stages import LoginStage
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.conf import VENDORS
from accounts.errors import MailUnavailable
from accounts.limits import client_address
from accounts.models import AuditEvent, User
from accounts.selectors import lacks_agreement
from accounts.services.audit import record
from accounts.wall_clock import utc_now

log = structlog.get_logger(__name__)

Kind = AuditEvent.Kind
AGREEMENT_STAGE = "accounts.adapter.AgreementStage"
# What the owner is told by mail is recorded too.
NOTICES = {
    "account/email/password_changed": Kind.PASSWORD_CHANGED,
    "account/email/password_set": Kind.PASSWORD_CHANGED,
    "account/email/password_reset": Kind.PASSWORD_RESET,
    "account/email/email_changed": Kind.EMAIL_CHANGED,
    "socialaccount/email/account_connected": Kind.PROVIDER_CONNECTED,
    "socialaccount/email/account_disconnected": Kind.PROVIDER_REMOVED,
}


class AccountAdapter(DefaultAccountAdapter):
    """Counts by the same address as every other call, asks for agreement, and keeps the record."""

    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "That address and password do not belong together. Check both and try again.",
        "incorrect_password": "That is not your password. Nothing was changed.",
        "enter_current_password": "That is not your current password. Nothing was changed.",
        "duplicate_email": "That is your address already.",
    }

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address, as far as the proxies in front may name it."""
        return client_address(request)

    def get_login_stages(self) -> list[str]:
        """What stands between a right password and being signed in: at last, today's terms."""
        return [*super().get_login_stages(), AGREEMENT_STAGE]

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Sign the person in, under a new session key."""
        super().login(request, user)
        record(kind=Kind.SIGNED_IN, user=user, now=utc_now())

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record whose account was tried; what was typed is nowhere kept, for it may be a password."""
        typed = credentials.get("email") or credentials.get("username") or ""
        user = User.objects.filter(email__iexact=typed).first()
        record(kind=Kind.SIGN_IN_FAILED, user=user, now=utc_now(), detail="" if user else "no such account")

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Take a proven address over, unless somebody else signs in with it, proven or not."""
        others = User.objects.filter(email__iexact=email_address.email).exclude(pk=email_address.user_id)
        if others.exists():
            messages.error(request, "That address belongs to another account here. Nothing was changed.")
            return False
        return bool(super().confirm_email(request, email_address))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell the owner that something about the account changed, and record it, even if the mail does not leave."""
        kind = NOTICES.get(template_prefix)
        if kind is not None:
            account = (context or {}).get("account")
            record(kind=kind, user=user, now=utc_now(), detail="" if account is None else str(account.provider))
        reset = self.request.build_absolute_uri(reverse("account_reset_password"))
        try:
            facts = {**(context or {}), "password_reset_url": reset}
            super().send_notification_mail(template_prefix, user, context=facts, email=email)
        except MailUnavailable:
            log.warning("owner_not_told", notice=template_prefix, user=user.pk)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a message that somebody waits for. Raises MailUnavailable."""
        try:
            super().send_mail(template_prefix, email, context)
        except (SMTPException, OSError) as error:
            raise MailUnavailable from error


class SocialAdapter(DefaultSocialAccountAdapter):
    """Vendors that vouch for people, as far as they are set up and an address is proven on both sides."""

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        """This site as the vendor knows it; one that is not set up has no pages."""
        try:
            return super().get_app(request, provider=provider, client_id=client_id)
        except SocialApp.DoesNotExist as error:
            name = VENDORS.get(provider, provider)
            raise Http404(f"Signing in with {name} is not set up on this site.") from error

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """The account that a vendor's verified address belongs to, if it was verified here too.

        Whoever made an account with an address that is not theirs would otherwise share it with its owner.
        """
        found = super().authenticate_by_email(sociallogin)
        if found is None:
            return None
        user, email = found
        is_proven = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True).exists()
        return found if is_proven else None

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Make the account of a person who came from a vendor."""
        user: User = super().save_user(request, sociallogin, form)
        record(kind=Kind.SIGNED_UP, user=user, now=utc_now(), detail=sociallogin.account.provider)
        return user


class AgreementStage(LoginStage):
    """Login stage that redirects to the agreement page until the current terms and disclaimer are accepted."""

    key = "agreement"
    urlname = "accounts:agreement"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """Return the redirect, if one is needed, and that the login may continue."""
        if lacks_agreement(self.login.user):
            return HttpResponseRedirect(reverse(self.urlname)), True
        return None, True
