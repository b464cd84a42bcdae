"""The audit may be shortened at its old end, by whoever says so in the transaction; nothing younger than 90 days goes."""

from django.db import migrations, models

SHORTENED = """
CREATE OR REPLACE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('hindcast.shorten_audit', true) = 'yes'
        AND OLD.recorded_at < now() - interval '90 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% on % is refused: the audit is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""
WHOLE = """
CREATE OR REPLACE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the audit is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
"""
KINDS = [
    ("signed_up", "account made"),
    ("signed_in", "signed in"),
    ("sign_in_failed", "sign-in refused"),
    ("password_changed", "password changed"),
    ("password_reset", "password reset by e-mail"),
    ("email_changed", "e-mail address changed"),
    ("vendor_joined", "sign-in by a vendor added"),
    ("vendor_removed", "sign-in by a vendor removed"),
    ("key_made", "API key made"),
    ("key_revoked", "API key revoked"),
    ("data_exported", "data exported"),
    ("changed_by_staff", "changed by staff"),
    ("account_deleted", "account deleted"),
    ("model_promoted", "model promoted"),
    ("model_rolled_back", "model rolled back"),
    ("audit_shortened", "old events deleted"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_usage"),
    ]

    operations = [
        migrations.AlterField(
            model_name="auditevent",
            name="kind",
            field=models.CharField(choices=KINDS, max_length=20),
        ),
        migrations.RunSQL(SHORTENED, WHOLE),
    ]
