"""Toolchains that forecasts were computed with."""

from django.db import models


class Toolchain(models.Model):
    """Versions of libraries, numerics source and processor as text: `numpy 2.4.6, python 3.11.7, ...`."""

    versions = models.CharField(max_length=400, unique=True)

    def __str__(self) -> str:
        return self.versions

    @staticmethod
    def text_of(versions: dict[str, str]) -> str:
        """Return the text of versions by name."""
        return ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))

    @property
    def by_name(self) -> dict[str, str]:
        """Return the versions by name."""
        return dict(entry.split(" ", 1) for entry in self.versions.split(", "))
