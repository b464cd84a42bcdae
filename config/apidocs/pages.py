"""Pages of the API documentation."""

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
from config.apidocs.problem_guide import problem_guides
from config.apidocs.sandbox import SANDBOX_KEY
from config.apidocs.schema_cache import full_schema
from config.devserver.paths import ROOT

GUIDES = ROOT / "docs"
SITE_PLACEHOLDER, KEY_PLACEHOLDER = "https://hindcast.example", "SANDBOX_KEY"


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Show the getting-started guide, with calls for this site."""
    return _guide(request, "start", "Getting started with the API", GUIDES / "api-start.md")


@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """Show the change policy and the changelog."""
    return _guide(request, "policy", "API changes", GUIDES / "api-policy.md")


@require_safe
def problems(request: HttpRequest) -> HttpResponse:
    """Explain each problem `type`, whose URL is an anchor of this page."""
    guides = [
        {
            "problem": guide.problem,
            "advice": _MARKDOWN.renderInline(guide.advice),
            "example": json.dumps(guide.example, indent=2, ensure_ascii=False),
        }
        for guide in problem_guides().values()
    ]
    return render(request, "api/problems.html", {"section": "api", "guides": guides})


@require_safe
def postman(request: HttpRequest) -> HttpResponse:
    """Return the schema as a Postman collection for this site."""
    collection = collection_of(full_schema(), site=request.build_absolute_uri("/").rstrip("/"))
    headers = {"Content-Disposition": 'attachment; filename="hindcast.postman_collection.json"'}
    return JsonResponse(collection, headers=headers)


def _guide(request: HttpRequest, page: str, title: str, path: Path) -> HttpResponse:
    site = request.build_absolute_uri("/").rstrip("/")
    text = path.read_text(encoding="utf-8").replace(SITE_PLACEHOLDER, site).replace(KEY_PLACEHOLDER, SANDBOX_KEY)
    context = {"section": "api", "page": page, "title": title, "text": _MARKDOWN.render(text)}
    return render(request, "api/manual.html", context)


def _markdown() -> MarkdownIt:
    """Return a CommonMark renderer with tables and keyboard-scrollable code blocks."""
    renderer = MarkdownIt("commonmark", {"html": False}).enable("table")
    renderer.add_render_rule("fence", _code_block)
    return renderer


def _code_block(renderer: object, tokens: Sequence[Token], index: int, options: object, env: object) -> str:
    language, text = escape(tokens[index].info), escape(tokens[index].content)
    return f'<pre class="code" tabindex="0"><code class="language-{language}">{text}</code></pre>\n'


_MARKDOWN = _markdown()
