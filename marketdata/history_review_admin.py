"""Admin of doubtful price histories: staff accept or reject each with a reason."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from marketdata import clock
from marketdata.jobs import INGEST, enqueue
from marketdata.models import HistoryReview
from marketdata.services.history_review import DecisionRefused, articles_about, decide

COLUMNS = ("session", "open", "high", "low", "close", "adjusted_close", "volume")


class HistoryReviewAdmin(ModelAdmin):
    """Each review waits for one decision; decided reviews are read-only."""

    list_display: ClassVar = ["instrument", "session", "finding", "source", "status_label", "decided_by", "seen_at"]
    list_filter: ClassVar = ["status", "rule", "source"]
    list_select_related: ClassVar = ["instrument", "decided_by"]
    search_fields: ClassVar = ["instrument__symbol"]
    list_fullwidth = True
    fields: ClassVar = [
        ("instrument", "source"),
        ("session", "rule"),
        "finding",
        "bar_table",
        "articles",
        "reason",
        ("status", "decided_at"),
        "decided_by",
    ]
    readonly_fields: ClassVar = [
        "instrument",
        "source",
        "session",
        "rule",
        "finding",
        "bar_table",
        "articles",
        "status",
        "decided_by",
        "decided_at",
    ]
    # In a text area the Enter key submits nothing.
    formfield_overrides: ClassVar = {models.CharField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 2})}}
    actions_submit_line: ClassVar = ["accept", "reject"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Deny adding; the ingestion adds reviews."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: HistoryReview | None = None) -> bool:
        """Deny deletion, because decisions are kept."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: HistoryReview | None = None) -> list[str]:
        """Return every field once the review is decided."""
        decided = obj is not None and obj.status != HistoryReview.Status.WAITING
        return [*self.readonly_fields, "reason"] if decided else list(self.readonly_fields)

    def get_actions_submit_line(self, request: HttpRequest, object_id: int | str) -> list[Any]:
        """Offer both decisions until one is taken."""
        waiting = HistoryReview.objects.filter(pk=object_id, status=HistoryReview.Status.WAITING).exists()
        return list(super().get_actions_submit_line(request, object_id)) if waiting else []

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Offer the two decisions instead of saving."""
        hidden = {"show_save": False, "show_save_and_continue": False}
        response: HttpResponse = super().changeform_view(
            request, object_id, form_url, {**(extra_context or {}), **hidden}
        )
        return response

    def save_model(self, request: HttpRequest, obj: HistoryReview, form: Any, change: bool) -> None:
        """Run the pressed button; nothing else is saved."""
        pressed = [one for one in self.get_actions_submit_line(request, obj.pk) if one.action_name in request.POST]
        if not pressed:
            messages.warning(request, "Nothing was changed. Choose Accept or Reject.")
        for one in pressed:
            one.method(request, obj)

    def response_change(self, request: HttpRequest, obj: HistoryReview) -> HttpResponse:
        """Return to the list after a decision, and to the page otherwise, without a message about saving."""
        if HistoryReview.objects.filter(pk=obj.pk, status=HistoryReview.Status.WAITING).exists():
            return HttpResponseRedirect(request.path)
        return self.response_post_save_change(request, obj)

    @action(description="Accept: store this history", permissions=["change"])
    def accept(self, request: HttpRequest, obj: HistoryReview) -> None:
        """Accept the change."""
        self._decide(request, obj, accept=True)

    @action(description="Reject: refuse this history", permissions=["change"])
    def reject(self, request: HttpRequest, obj: HistoryReview) -> None:
        """Reject the change."""
        self._decide(request, obj, accept=False)

    def _decide(self, request: HttpRequest, obj: HistoryReview, *, accept: bool) -> None:
        stored = HistoryReview.objects.select_related("instrument").get(pk=obj.pk)
        actor = request.user if request.user.is_authenticated else None
        try:
            decide(review=stored, accept=accept, reason=obj.reason, actor=actor, now=clock.now())
        except DecisionRefused as error:
            messages.error(request, str(error))
            return
        enqueue(INGEST, [stored.instrument_id])
        status = "accepted" if accept else "rejected"
        messages.success(request, f"The change was {status}. Fetching bars of {stored.instrument}.")

    @display(
        description="status",
        ordering="status",
        label={"waiting": "warning", "accepted": "success", "rejected": "danger"},
    )
    def status_label(self, review: HistoryReview) -> str:
        return review.status

    @admin.display(description="bars as received")
    def bar_table(self, review: HistoryReview) -> SafeString:
        head = format_html_join(
            "", "<th class='px-2 text-left'>{}</th>", ((name.replace("_", " "),) for name in COLUMNS)
        )
        doubtful = review.session.isoformat()
        rows = format_html_join(
            "",
            "<tr class='{}'>{}</tr>",
            (
                (
                    "font-semibold" if bar["session"] == doubtful else "",
                    format_html_join("", "<td class='px-2'>{}</td>", ((bar[name],) for name in COLUMNS)),
                )
                for bar in review.bars
            ),
        )
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, rows)

    @admin.display(description="articles of that day")
    def articles(self, review: HistoryReview) -> SafeString | str:
        titles = articles_about(review)
        return format_html_join("", "<div>{}</div>", ((title,) for title in titles)) if titles else "None stored"
