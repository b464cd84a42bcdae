"""Admin of model versions, trainings, evaluations and alias changes, with promote, roll back and train actions."""

from typing import ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from marketdata import clock
from marketdata.admin import ReadOnlyAdmin
from mlops.errors import MlopsError
from mlops.jobs import TRAIN_VERSION, announce_promotion, enqueue
from mlops.models import AliasChange, Evaluation, ModelVersion, TrainingRun
from mlops.scorecard import HEADINGS, NOT_MEASURED, HorizonScore, percent, scorecard
from mlops.services import registry
from mlops.services.training_runs import request_training

HEADLINE_HORIZON = 5


class ReasonForm(BaseDialogForm):
    """Form for the reason of a promotion or rollback, which is stored permanently."""

    reason = forms.CharField(max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}))


class TrainForm(BaseDialogForm):
    """Form for the reason and the seed of a training."""

    reason = forms.CharField(
        max_length=200, initial="requested by staff", widget=UnfoldAdminTextareaWidget({"rows": 2})
    )
    seed = forms.IntegerField(
        min_value=0,
        max_value=2**63 - 1,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Leave empty to use the configured seed.",
    )


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display: ClassVar = [
        "version",
        "stage_label",
        "trained_through",
        "direction",
        "volatility",
        "coverage",
        "train_seconds",
        "created_at",
    ]
    list_filter: ClassVar = ["stage"]
    search_fields: ClassVar = ["version", "note"]
    fields: ClassVar = [
        ("version", "stage"),
        "figures",
        ("trained_through", "holdout_trained_through"),
        ("holdout_first", "holdout_last"),
        ("feature_set", "seed"),
        ("artifact_path", "artifact_sha256"),
        "toolchain",
        ("train_seconds", "created_at"),
        "note",
    ]
    readonly_fields: ClassVar = ["figures"]
    actions_list: ClassVar = ["roll_back"]
    actions_detail: ClassVar = ["promote"]

    def has_promote_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("mlops.promote_modelversion")

    @action(
        description="Promote",
        permissions=["promote"],
        icon="verified",
        dialog={
            "title": "Promote this version to champion",
            "description": "New forecasts come from this version. The current champion is retired; you can roll back.",
            "form_class": ReasonForm,
            "form_submit_text": "Promote",
        },
    )
    def promote(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        try:
            version = registry.promote(
                version=ModelVersion.objects.get(pk=object_id),
                actor=_staff(request),
                reason=form.cleaned_data["reason"],
                now=clock.now(),
            )
        except MlopsError as error:
            messages.error(request, str(error))
        else:
            announce_promotion()
            messages.success(request, f"{version} is now in production. Its forecasts are being published.")
        return _redirect(reverse("admin:mlops_modelversion_change", args=[object_id]))

    @action(
        description="Roll back",
        permissions=["promote"],
        icon="undo",
        dialog={
            "title": "Roll back to the previous champion",
            "description": "The previous champion returns to production.",
            "form_class": ReasonForm,
            "form_submit_text": "Roll back",
        },
    )
    def roll_back(self, request: HttpRequest, form: ReasonForm) -> HttpResponse:
        try:
            version = registry.rollback(actor=_staff(request), reason=form.cleaned_data["reason"], now=clock.now())
        except MlopsError as error:
            messages.error(request, str(error))
        else:
            announce_promotion()
            messages.success(request, f"{version} is back in production. Its forecasts are being published.")
        return _redirect(reverse("admin:mlops_modelversion_changelist"))

    @display(
        description="stage",
        ordering="stage",
        label={"champion": "success", "retired": "warning"},
    )
    def stage_label(self, version: ModelVersion) -> str:
        return version.stage

    @display(description=f"direction accuracy, {HEADLINE_HORIZON} days")
    def direction(self, version: ModelVersion) -> str:
        score = _headline(version)
        return NOT_MEASURED if score is None else _with_base_rate(score.accuracy, score.base_rate)

    @display(description=f"volatility accuracy, {HEADLINE_HORIZON} days")
    def volatility(self, version: ModelVersion) -> str:
        score = _headline(version)
        return NOT_MEASURED if score is None else _with_base_rate(score.volatility_accuracy, score.volatility_base_rate)

    @display(description="95% interval coverage")
    def coverage(self, version: ModelVersion) -> str:
        score = _headline(version)
        return NOT_MEASURED if score is None else percent(score.coverage_95)

    @display(description="hold-out metrics")
    def figures(self, version: ModelVersion) -> SafeString:
        rows = [score.cells for score in scorecard(version.metrics)]
        return render_to_string("mlops/scorecard.html", {"headings": HEADINGS, "rows": rows})


@admin.register(TrainingRun)
class TrainingRunAdmin(ReadOnlyAdmin):
    list_display: ClassVar = [
        "requested_at",
        "status_label",
        "progress_percent",
        "stage",
        "reason",
        "version",
        "finished_at",
        "error",
    ]
    list_filter: ClassVar = ["status"]
    list_select_related: ClassVar = ["version"]
    actions_list: ClassVar = ["train_now"]

    def has_train_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return request.user.has_perm("mlops.add_trainingrun")

    @action(
        description="Train now",
        permissions=["train"],
        icon="model_training",
        dialog={
            "title": "Train a new version",
            "description": "Trains a version on all stored prices and compares it with the champion.",
            "form_class": TrainForm,
            "form_submit_text": "Train",
        },
    )
    def train_now(self, request: HttpRequest, form: TrainForm) -> HttpResponse:
        seed = form.cleaned_data["seed"]
        run = request_training(
            reason=form.cleaned_data["reason"],
            seed=settings.HINDCAST_MODELS.seed if seed is None else seed,
            now=clock.now(),
        )
        enqueue(TRAIN_VERSION, run.pk)
        messages.success(request, "Training queued. This list shows its progress.")
        return _redirect(reverse("admin:mlops_trainingrun_changelist"))

    @display(
        description="status",
        ordering="status",
        label={"done": "success", "running": "info", "failed": "danger"},
    )
    def status_label(self, run: TrainingRun) -> str:
        return run.status

    @display(description="progress", ordering="progress")
    def progress_percent(self, run: TrainingRun) -> str:
        return f"{run.progress:.0%}"


@admin.register(Evaluation)
class EvaluationAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["created_at", "challenger", "champion", "rule", "decision", "reason"]
    list_filter: ClassVar = ["decision", "rule"]
    list_select_related: ClassVar = ["challenger", "champion"]


@admin.register(AliasChange)
class AliasChangeAdmin(ReadOnlyAdmin):
    list_display: ClassVar = ["alias", "version", "starts_at", "ends_at", "actor", "reason"]
    list_filter: ClassVar = ["alias"]
    list_select_related: ClassVar = ["version", "actor"]


def _staff(request: HttpRequest) -> AbstractBaseUser:
    """Return the signed-in staff user, who is recorded as the actor."""
    if not isinstance(request.user, AbstractBaseUser):
        raise PermissionDenied
    return request.user


def _headline(version: ModelVersion) -> HorizonScore | None:
    """Return the version's score at the horizon shown in lists."""
    scores = {score.horizon_sessions: score for score in scorecard(version.metrics)}
    return scores.get(HEADLINE_HORIZON)


def _with_base_rate(accuracy: float | None, base_rate: float | None) -> str:
    return f"{percent(accuracy)} (baseline {percent(base_rate)})"


def _redirect(url: str) -> HttpResponse:
    """Redirect an HTMX dialog, which ignores an ordinary 302."""
    return HttpResponse(headers={"HX-Redirect": url})
