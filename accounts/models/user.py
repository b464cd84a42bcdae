"""People: users who sign in with an e-mail address."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from accounts.conf import DEFAULT_PLAN
from accounts.models.plan import Plan


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address; there is no separate user name."""

    use_in_migrations = True

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user; the address is lower-cased because people do not mean two accounts by two spellings."""
        if not email:
            raise ValueError("An e-mail address is needed.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Store a user who may do everything in the admin."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user who signs in with this address, however it is spelt."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person; the e-mail address is the name to sign in with."""

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

    def clean(self) -> None:
        """Spell the address as `create_user` does, so that forms find a person who is there already."""
        super().clean()
        self.email = self.email.lower()
