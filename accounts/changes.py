"""What happens when rows about people change: after commit every process forgets what it knew of them.

Django's and allauth's own code, commands and the admin write these rows too, so it hangs on their being saved; who
updates many at once calls `publish_invalidation` himself.
"""

from functools import partial
from typing import Any

from django.apps import apps as installed
from django.conf import settings
from django.db import transaction
from django.db.models.signals import post_delete, post_migrate, post_save
from django.dispatch import receiver

from accounts.conf import ANONYMOUS_PLAN, SEEDED_PLANS
from accounts.credential_cache import publish_invalidation
from accounts.models import ApiKey, Plan, TokenFamily, User


@receiver((post_save, post_delete), sender=User)
def tell_of_user(instance: User, **_: Any) -> None:
    """A person was made inactive or staff, got another plan or password, or is gone."""
    _tell_after_commit(instance.pk)


@receiver((post_save, post_delete), sender=ApiKey)
def tell_of_key(instance: ApiKey, **_: Any) -> None:
    """A key was revoked, or may do something else."""
    _tell_after_commit(instance.owner_id)


@receiver((post_save, post_delete), sender=TokenFamily)
def tell_of_family(instance: TokenFamily, **_: Any) -> None:
    """A sign-in by API was ended."""
    _tell_after_commit(instance.user_id)


@receiver((post_save, post_delete), sender=Plan)
def tell_of_plan(**_: Any) -> None:
    """A plan has other limits."""
    _tell_after_commit(None)


@receiver(post_migrate)
def restore_plans(sender: Any, using: str, apps: Any = installed, **_: Any) -> None:
    """Put the plans that the platform counts on into an emptied table; a table with plans is left as staff made it."""
    if sender.name != "accounts":
        return
    try:
        plans = apps.get_model("accounts", "Plan").objects.using(using)
    except LookupError:
        return
    if not plans.exists():
        plans.bulk_create(
            [plans.model(name=name, per_minute=minute, per_day=day) for name, minute, day in SEEDED_PLANS]
        )
        plans.filter(name=ANONYMOUS_PLAN).update(per_minute=settings.HINDCAST_LIMITS.anonymous_per_minute)


def _tell_after_commit(user_id: int | None) -> None:
    transaction.on_commit(partial(publish_invalidation, user_id))
