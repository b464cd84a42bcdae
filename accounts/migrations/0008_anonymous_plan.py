"""The limit of callers without credentials was a setting; from now on it is the plan's, which begins with the setting."""

from django.conf import settings
from django.db import migrations


def take_over(apps, schema_editor):
    """Let what held until now go on to hold."""
    plans = apps.get_model("accounts", "Plan").objects.using(schema_editor.connection.alias)
    plans.filter(name="anonymous").update(per_minute=settings.HINDCAST_LIMITS.anonymous_per_minute)


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0007_audit_retention"),
    ]

    operations = [
        migrations.RunPython(take_over, migrations.RunPython.noop),
    ]
