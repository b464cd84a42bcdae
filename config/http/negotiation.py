"""Which form of an answer is chosen."""

from collections.abc import Iterable, Sequence

from rest_framework.exceptions import NotAcceptable, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

FORM = str(api_settings.URL_FORMAT_OVERRIDE)


class FormatNegotiation(DefaultContentNegotiation):
    """By `format` where there are several forms, whatever is accepted; else by `Accept`."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer and its media type. Raises ValidationError for a form that nobody makes, else NotAcceptable."""
        said, there_are = request.query_params.getlist(FORM), list(renderers)
        named = _named(said, there_are) if said and len(there_are) > 1 else there_are
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, named, format_suffix)
        except NotAcceptable:
            if named is there_are:
                raise
            return named[0], named[0].media_type
        return chosen

    def filter_renderers(self, renderers: Iterable[BaseRenderer], format: str) -> list[BaseRenderer]:
        """All of them: what `format` says was looked at already, or is for the view to judge."""
        return list(renderers)


def _named(said: Sequence[str], renderers: Sequence[BaseRenderer]) -> list[BaseRenderer]:
    if len(said) > 1:
        raise ValidationError({FORM: [f"Say it once, not {len(said)} times."]})
    named = [renderer for renderer in renderers if renderer.format == said[0]]
    if not named:
        there_are = ", ".join(dict.fromkeys(str(renderer.format) for renderer in renderers))
        raise ValidationError({FORM: [f"There is no such form. There are: {there_are}."]})
    return named
