"""Content negotiation."""

from collections.abc import Iterable, Sequence

from rest_framework.exceptions import NotAcceptable, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

FORMAT_PARAMETER = str(api_settings.URL_FORMAT_OVERRIDE)


class FormatNegotiation(DefaultContentNegotiation):
    """Selects by the parameter `format` where a view has several formats, else by `Accept`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the renderer and its media type. Raises ValidationError for an unknown format, else NotAcceptable."""
        requested, available = request.query_params.getlist(FORMAT_PARAMETER), list(renderers)
        candidates = _requested_renderers(requested, available) if requested and len(available) > 1 else available
        try:
            selected: tuple[BaseRenderer, str] = super().select_renderer(request, candidates, format_suffix)
        except NotAcceptable:
            if candidates is available:
                raise
            return candidates[0], candidates[0].media_type
        return selected

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        """Return all renderers; `select_renderer` has applied `format` already, or the view validates it."""
        return list(renderers)


def _requested_renderers(requested: Sequence[str], renderers: Sequence[BaseRenderer]) -> list[BaseRenderer]:
    if len(requested) > 1:
        raise ValidationError({FORMAT_PARAMETER: [f"`{FORMAT_PARAMETER}` may appear only once."]})
    matching = [renderer for renderer in renderers if renderer.format == requested[0]]
    if not matching:
        allowed = ", ".join(dict.fromkeys(str(renderer.format) for renderer in renderers))
        raise ValidationError({FORMAT_PARAMETER: [f"Unknown format. Allowed: {allowed}."]})
    return matching
