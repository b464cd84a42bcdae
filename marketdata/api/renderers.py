"""Answers as tables."""

import csv
from collections.abc import Mapping
from io import StringIO
from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer

# A cell that begins so is taken for a formula by spreadsheets.
FORMULA_SIGNS = ("=", "+", "-", "@")


class CsvRenderer(BaseRenderer):
    """The list that the view names in `csv_rows`, one line each; a problem stays the JSON that it is."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        context = dict(renderer_context or {})
        view = context["view"]
        if not is_table(context):
            return bytes(JSONRenderer().render(data, JSONRenderer.media_type, context))
        table = StringIO()
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(view.csv_columns)
        for row in data[view.csv_rows]:
            writer.writerow([_cell(row[name]) for name in view.csv_columns])
        return table.getvalue().encode()


def is_table(context: Mapping[str, Any]) -> bool:
    """Whether the answer is what was asked for, and neither a problem nor what an address says of itself."""
    return not context["response"].exception and context["request"].method != "OPTIONS"


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value
