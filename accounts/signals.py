"""Signal handlers: invalidate cached credentials after commit, and restore the built-in plans after migrate.

Django, allauth, commands and the admin write these rows too, so invalidation follows the rows' signals. Code that
updates many rows at once (`QuerySet.update`) must call `publish_invalidation`.
"""

from functools import partial
from typing import Any

from django.apps import apps as installed
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_migrate, post_save
from django.dispatch import receiver

from accounts.conf import ANONYMOUS_PLAN, BUILT_IN_PLANS
from accounts.credential_cache import publish_invalidation
from accounts.models import ApiKey, Plan, TokenFamily, User


@receiver((post_save, post_delete), sender=User)
def invalidate_user(instance: User, **_: Any) -> None:
    """A user's plan, password, or active or staff flag changed, or the user was deleted."""
    _invalidate_after_commit(instance.pk)


@receiver((post_save, post_delete), sender=ApiKey)
def invalidate_key(instance: ApiKey, **_: Any) -> None:
    """An API key was revoked or changed."""
    _invalidate_after_commit(instance.owner_id)


@receiver((post_save, post_delete), sender=TokenFamily)
def invalidate_family(instance: TokenFamily, **_: Any) -> None:
    """A token family was revoked."""
    _invalidate_after_commit(instance.user_id)


@receiver((post_save, post_delete), sender=Plan)
def invalidate_plans(**_: Any) -> None:
    """A plan's limits changed."""
    _invalidate_after_commit(None)


@receiver(post_migrate)
def restore_plans(sender: Any, using: str, apps: Any = installed, **_: Any) -> None:
    """Insert the built-in plans into an empty table; a table with plans is left as staff edited it."""
    if sender.name != "accounts":
        return
    try:
        plans = apps.get_model("accounts", "Plan").objects.using(using)
    except LookupError:
        return
    if not plans.exists():
        plans.bulk_create(
            [plans.model(name=name, per_minute=minute, per_day=day) for name, minute, day in BUILT_IN_PLANS]
        )
        plans.filter(name=ANONYMOUS_PLAN).update(per_minute=settings.HINDCAST_LIMITS.anonymous_per_minute)


def _invalidate_after_commit(user_id: int | None) -> None:
    transaction.on_commit(partial(publish_invalidation, user_id))
