"""CSV renderer."""

import csv
from collections.abc import Mapping
from datetime import datetime
from io import StringIO
from typing import Any

from rest_framework.renderers import BaseRenderer
from rest_framework.utils.encoders import JSONEncoder

# Spreadsheets read a cell that starts with one of these as a formula.
FORMULA_SIGNS = ("=", "+", "-", "@")


class CsvRenderer(BaseRenderer):
    """Render the list named by the view's `csv_rows`, one line per item."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        view = (renderer_context or {})["view"]
        table = StringIO()
        writer = csv.writer(table, lineterminator="\r\n")
        writer.writerow(view.csv_columns)
        for row in data[view.csv_rows]:
            writer.writerow([_cell(row[name]) for name in view.csv_columns])
        return table.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        # Same format as in JSON.
        return JSONEncoder().default(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_SIGNS) else value
