"""Users, who sign in with an e-mail address."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.crypto import constant_time_compare

from accounts.conf import DEFAULT_PLAN
from accounts.models.plan import Plan


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address; there is no user name."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; the address is stored in lower case."""
        if not email:
            raise ValueError("Set an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user with every permission."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the user with this address, in any case."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A user, identified by e-mail address."""

    username = None  # type: ignore[assignment]  # AbstractUser declares a field that is removed here
    email = models.EmailField("e-mail address", unique=True)
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, default=DEFAULT_PLAN, related_name="users")

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()  # type: ignore[misc, assignment]  # replaces the manager of AbstractUser

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="user_email_ci_unique")]

    def __str__(self) -> str:
        return self.email

    def has_session_hash(self, session_hash: str) -> bool:
        """Return whether a session with this hash is valid: of the present password, with any accepted secret key."""
        accepted = (self.get_session_auth_hash(), *self.get_session_auth_fallback_hash())
        return any(constant_time_compare(session_hash, one) for one in accepted)

    def clean(self) -> None:
        """Lower-case the address, so that forms detect an existing account."""
        super().clean()
        self.email = self.email.lower()
