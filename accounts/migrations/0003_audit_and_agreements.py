"""What people agreed to, and an audit whose rows are only ever added."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

REFUSAL = """
CREATE FUNCTION accounts_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the audit is append-only', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION accounts_refuse_change();
"""
UNDO = """
DROP TRIGGER append_only_rows ON accounts_auditevent;
DROP FUNCTION accounts_refuse_change();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_callers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Acceptance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('document', models.CharField(max_length=16)),
                ('version', models.CharField(max_length=10)),
                ('network', models.CharField(blank=True, max_length=43)),
                ('accepted_at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='acceptances', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-accepted_at', 'document'],
                'constraints': [models.UniqueConstraint(fields=('user', 'document', 'version'), name='acceptance_once_per_version')],
            },
        ),
        migrations.CreateModel(
            name='AuditEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('signed_up', 'account made'), ('signed_in', 'signed in'), ('sign_in_failed', 'sign-in refused'), ('password_changed', 'password changed'), ('password_reset', 'password reset by e-mail'), ('email_changed', 'e-mail address changed'), ('vendor_joined', 'sign-in by a vendor added'), ('vendor_removed', 'sign-in by a vendor removed'), ('key_made', 'API key made'), ('key_revoked', 'API key revoked'), ('data_exported', 'data exported'), ('account_deleted', 'account deleted'), ('model_promoted', 'model promoted'), ('model_rolled_back', 'model rolled back')], max_length=20)),
                ('detail', models.CharField(blank=True, max_length=200)),
                ('network', models.CharField(blank=True, max_length=43)),
                ('recorded_at', models.DateTimeField(db_index=True)),
                ('user', models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-recorded_at', '-pk'],
                'indexes': [models.Index(fields=['user', '-recorded_at'], name='audit_event_by_user')],
            },
        ),
        migrations.RunSQL(REFUSAL, UNDO),
    ]
