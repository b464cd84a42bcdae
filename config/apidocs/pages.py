"""The pages for people who call the API."""

import json
from collections.abc import Sequence
from pathlib import Path

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.html import escape
from django.views.decorators.http import require_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

from config.apidocs.postman import collection_of
from config.apidocs.problem_guide import explained
from config.apidocs.sandbox import SANDBOX_KEY
from config.apidocs.schema_cache import full_schema
from config.devserver.paths import ROOT

MANUALS = ROOT / "docs"
SITE_IN_TEXTS, KEY_IN_TEXTS = "https://hindcast.example", "SANDBOX_KEY"


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Getting started, with calls that work on this very site."""
    return _manual(request, "start", "Getting started with the API", MANUALS / "api-start.md")


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """What may change and how it is told; what has changed."""
    return _manual(request, "policy", "Changes of the API", MANUALS / "api-policy.md")


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


@require_safe
def postman(request: HttpRequest) -> HttpResponse:
    """The schema as a Postman collection, for this site."""
    collection = collection_of(full_schema(), site=request.build_absolute_uri("/").rstrip("/"))
    headers = {"Content-Disposition": 'attachment; filename="hindcast.postman_collection.json"'}
    return JsonResponse(collection, headers=headers)


def _manual(request: HttpRequest, page: str, title: str, path: Path) -> HttpResponse:
    site = request.build_absolute_uri("/").rstrip("/")
    text = path.read_text(encoding="utf-8").replace(SITE_IN_TEXTS, site).replace(KEY_IN_TEXTS, SANDBOX_KEY)
    context = {"section": "api", "page": page, "title": title, "text": _MARKDOWN.render(text)}
    return render(request, "api/manual.html", context)


def _markdown() -> MarkdownIt:
    """CommonMark with tables; blocks of code can be scrolled by keyboard."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    reader.add_render_rule("fence", _block_of_code)
    return reader


def _block_of_code(renderer: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
    language, text = escape(tokens[index].info), escape(tokens[index].content)
    return f'<pre class="code" tabindex="0"><code class="language-{language}">{text}</code></pre>\n'


_MARKDOWN = _markdown()
