"""The pages for people who call the API."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt

from config.problem_guide import explained

_MARKDOWN = MarkdownIt("commonmark", {"html": False})


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """What each `type` of a problem means; its anchor is what the type points to."""
    shown = [
        {
            "problem": one.problem,
            "advice": _MARKDOWN.renderInline(one.advice),
            "example": json.dumps(one.example, indent=2, ensure_ascii=False),
        }
        for one in explained().values()
    ]
    return render(request, "api/problems.html", {"section": "api", "shown": shown})
