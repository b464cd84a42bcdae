"""Likeness of symbols and names, for suggestions."""

from typing import ClassVar

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("marketdata", "0001_initial")]
    operations: ClassVar = [TrigramExtension()]
