"""Every choice of a model field is written by some code path."""

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.db.models import Choices, Field

from config.devserver.paths import ROOT
from config.tests.test_architecture import APPS

# Modules that only declare or read rows.
NOT_WRITERS = {"tests", "migrations", "models", "selectors", "templatetags", "api"}
# Choices whose values come from a person, a vendor or a computation as text.
FROM_TEXT = {"Scope", "Rule.Kind", "CorporateAction.Kind", "MentionScore.Label",
             "Evaluation.Decision", "AccuracySnapshot.Verdict", "Forecast.Fit", "Forecast.Signal"}  # fmt: skip


def _enums() -> Iterator[tuple[type[Choices], "Field[object, object]"]]:
    for model in apps.get_models():
        enums = [part for part in vars(model).values() if isinstance(part, type) and issubclass(part, Choices)]
        for field in model._meta.local_fields:
            yield from ((enum, field) for enum in enums if field.choices == enum.choices)


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Names of the members that writing modules mention."""
    sources = [
        path.read_text()
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if NOT_WRITERS.isdisjoint(path.relative_to(ROOT).with_suffix("").parts)
    ]
    return set(re.findall(r"\.([A-Z][A-Z_]+)\b", "\n".join(sources)))


def test_every_choice_has_a_writer(written: set[str]) -> None:
    enums = list(_enums())
    assert len(enums) > 10
    unwritten = {
        f"{enum.__qualname__}.{member.name}"
        for enum, field in enums
        if enum.__qualname__ not in FROM_TEXT
        for member in enum
        if member.name not in written and member.value != field.default
    }
    assert unwritten == set()
