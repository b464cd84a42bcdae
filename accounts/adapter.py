"""allauth adapters: client address, agreement stage, audit events and account connection rules."""

from smtplib import SMTPException
from typing import Any, ClassVar
from urllib.parse import urlsplit

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from allauth.account.stages import LoginStage
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.conf import IDENTITY_PROVIDERS
from accounts.errors import MailUnavailable
from accounts.known_devices import remember_device
from accounts.limits import client_address
from accounts.login_throttle import uncount_sign_in
from accounts.models import AuditEvent, User
from accounts.selectors import lacks_agreement
from accounts.services.audit import record
from accounts.wall_clock import utc_now

log = structlog.get_logger(__name__)

Kind = AuditEvent.Kind
AGREEMENT_STAGE = "accounts.adapter.AgreementStage"
# Notifications to the owner that are also audit events.
AUDITED_NOTICES = {
    "account/email/password_changed": Kind.PASSWORD_CHANGED,
    "account/email/password_set": Kind.PASSWORD_CHANGED,
    "account/email/password_reset": Kind.PASSWORD_RESET,
    "account/email/email_changed": Kind.EMAIL_CHANGED,
    "socialaccount/email/account_connected": Kind.PROVIDER_CONNECTED,
    "socialaccount/email/account_disconnected": Kind.PROVIDER_REMOVED,
}


class AccountAdapter(DefaultAccountAdapter):
    """Account adapter with this site's client address, agreement stage and audit events."""

    error_messages: ClassVar = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "Incorrect e-mail address or password.",
        "incorrect_password": "Incorrect password. Nothing was changed.",
        "enter_current_password": "Incorrect current password. Nothing was changed.",
        "duplicate_email": "This is already your e-mail address.",
    }

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the client's address as recorded by trusted proxies."""
        return client_address(request)

    def get_login_stages(self) -> list[str]:
        """Add the agreement as the last stage."""
        return [*super().get_login_stages(), AGREEMENT_STAGE]

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Return the user with this password, whose device is known from then on; only wrong passwords count."""
        user: AbstractBaseUser | None = super().authenticate(request, **credentials)
        if user is not None:
            uncount_sign_in(request)
            remember_device(request, user.pk)
        return user

    def login(self, request: HttpRequest, user: AbstractBaseUser) -> None:
        """Sign the user in, mark the device as known, and record it."""
        super().login(request, user)
        remember_device(request, user.pk)
        record(kind=Kind.SIGNED_IN, user=user, now=utc_now())

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Record the account that was tried; the entered text is not stored, as it may be a password."""
        login = credentials.get("email") or credentials.get("username") or ""
        user = User.objects.filter(email__iexact=login).first()
        record(kind=Kind.SIGN_IN_FAILED, user=user, now=utc_now(), detail="" if user else "unknown address")

    def set_password(self, user: AbstractBaseUser, password: str) -> None:
        """Set the password; the device of its owner is known from then on."""
        super().set_password(user, password)
        remember_device(self.request, user.pk)

    def confirm_email(self, request: HttpRequest, email_address: EmailAddress) -> bool:
        """Confirm the address, unless another account uses it."""
        others = User.objects.filter(email__iexact=email_address.email).exclude(pk=email_address.user_id)
        if others.exists():
            messages.error(request, "That address belongs to another account. Nothing was changed.")
            return False
        return bool(super().confirm_email(request, email_address))

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Notify the owner of a change, and record it even if the e-mail fails."""
        kind = AUDITED_NOTICES.get(template_prefix)
        if kind is not None:
            account = (context or {}).get("account")
            record(kind=kind, user=user, now=utc_now(), detail="" if account is None else str(account.provider))
        try:
            full_context = {**(context or {}), "password_reset_url": reverse("account_reset_password")}
            super().send_notification_mail(template_prefix, user, context=full_context, email=email)
        except MailUnavailable:
            log.warning("account_notice_failed", notice=template_prefix, user=user.pk)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a message, whose links start with HINDCAST_SITE_URL alone. Raises MailUnavailable."""
        links = {name: site_link(url) for name, url in context.items() if name.endswith("_url")}
        site = settings.HINDCAST_SITE.site_url
        message = self.render_mail(template_prefix, email, {"email": email, **context, **links, "site_url": site})
        try:
            message.send()
        except (SMTPException, OSError) as error:
            raise MailUnavailable from error


def site_link(url: str) -> str:
    """Return a link to the same page at HINDCAST_SITE_URL: a client chooses the host of its own requests."""
    return str(settings.HINDCAST_SITE.site_url) + urlsplit(url)._replace(scheme="", netloc="").geturl()


class SocialAdapter(DefaultSocialAccountAdapter):
    """Social account adapter: providers must be configured, and addresses verified on both sides."""

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        """Return the provider's OAuth app; an unconfigured provider answers 404."""
        try:
            return super().get_app(request, provider=provider, client_id=client_id)
        except SocialApp.DoesNotExist as error:
            name = IDENTITY_PROVIDERS.get(provider, provider)
            raise Http404(f"Signing in with {name} is not set up on this site.") from error

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return the account of a provider's verified address, if the address was verified here too.

        Otherwise an account created with another person's address would be shared with its owner.
        """
        match = super().authenticate_by_email(sociallogin)
        if match is None:
            return None
        user, email = match
        is_verified = EmailAddress.objects.filter(user=user, email__iexact=email, verified=True).exists()
        return match if is_verified else None

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Create the account of a user who signed up with a provider."""
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
