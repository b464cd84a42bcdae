"""Which form of an answer is chosen."""

from collections.abc import Sequence

from rest_framework.exceptions import NotAcceptable, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.settings import api_settings

FORM = str(api_settings.URL_FORMAT_OVERRIDE)


class FormOfAnswer(DefaultContentNegotiation):
    """By `format` where there are several forms, whatever is accepted; else by `Accept`."""

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """The renderer and its media type. Raises ValidationError for a form that nobody makes, else NotAcceptable."""
        said = request.query_params.getlist(FORM)
        named = _named(said, renderers) if said and len(renderers) > 1 else renderers
        try:
            chosen: tuple[BaseRenderer, str] = super().select_renderer(request, named, format_suffix)
        except NotAcceptable:
            if named is renderers:
                raise
            return named[0], named[0].media_type
        return chosen

    def filter_renderers(self, renderers: Sequence[BaseRenderer], format: str) -> Sequence[BaseRenderer]:
        """All of them: what `format` says was looked at already, or is for the view to judge."""
        return renderers


def _named(said: Sequence[str], renderers: Sequence[BaseRenderer]) -> Sequence[BaseRenderer]:
    if len(said) > 1:
        raise ValidationError({FORM: [f"Say it once, not {len(said)} times."]})
    named = [renderer for renderer in renderers if renderer.format == said[0]]
    if not named:
        there_are = ", ".join(dict.fromkeys(str(renderer.format) for renderer in renderers))
        raise ValidationError({FORM: [f"There is no such form. There are: {there_are}."]})
    return named
