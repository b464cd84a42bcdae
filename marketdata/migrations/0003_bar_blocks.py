
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('marketdata', '0002_trigrams'),
    ]

    operations = [
        migrations.CreateModel(
            name='SymbolAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('vendor', models.CharField(blank=True, max_length=32, verbose_name='name of the provider')),
                ('symbol', models.CharField(max_length=32)),
            ],
            options={
                'verbose_name_plural': 'symbol aliases',
                'ordering': ['symbol', 'vendor'],
            },
        ),
        migrations.AddField(
            model_name='instrument',
            name='delisted_on',
            field=models.DateField(blank=True, null=True, verbose_name='last session before it was delisted'),
        ),
        migrations.AddIndex(
            model_name='instrument',
            index=django.contrib.postgres.indexes.GinIndex(fields=['symbol'], name='instrument_symbol_trigrams', opclasses=['gin_trgm_ops']),
        ),
        migrations.AddIndex(
            model_name='instrument',
            index=django.contrib.postgres.indexes.GinIndex(fields=['name'], name='instrument_name_trigrams', opclasses=['gin_trgm_ops']),
        ),
        migrations.AddConstraint(
            model_name='instrument',
            constraint=models.CheckConstraint(condition=models.Q(('delisted_on__isnull', True), ('is_active', False), _connector='OR'), name='instrument_delisted_is_not_active'),
        ),
        migrations.AddField(
            model_name='symbolalias',
            name='instrument',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='marketdata.instrument'),
        ),
        migrations.AddConstraint(
            model_name='symbolalias',
            constraint=models.UniqueConstraint(fields=('vendor', 'symbol'), name='symbol_alias_once'),
        ),
        migrations.AddConstraint(
            model_name='symbolalias',
            constraint=models.UniqueConstraint(condition=models.Q(('vendor', ''), _negated=True), fields=('instrument', 'vendor'), name='symbol_alias_one_per_vendor'),
        ),
    ]
