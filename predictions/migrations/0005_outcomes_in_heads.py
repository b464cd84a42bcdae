"""A day's head also says which outcomes were known; heads that did not are taken anew."""

from django.db import migrations, models

CLEAR = """
ALTER TABLE predictions_ledgerhead DISABLE TRIGGER append_only_table;
TRUNCATE predictions_ledgerhead;
ALTER TABLE predictions_ledgerhead ENABLE TRIGGER append_only_table;
"""


class Migration(migrations.Migration):
    dependencies = [("predictions", "0004_record")]

    operations = [
        migrations.RunSQL(CLEAR, migrations.RunSQL.noop),
        migrations.AddField(
            model_name="ledgerhead",
            name="outcomes",
            field=models.PositiveBigIntegerField(default=0, verbose_name="outcomes that were known"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="ledgerhead",
            name="last_outcome",
            field=models.PositiveBigIntegerField(default=0, verbose_name="key of the newest of them"),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="ledgerhead",
            name="outcomes_hash",
            field=models.CharField(default="", max_length=64, verbose_name="hash over all of them"),
            preserve_default=False,
        ),
    ]
