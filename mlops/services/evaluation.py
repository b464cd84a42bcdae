"""Comparison of a new version with the champion on sessions that neither was trained on."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import numpy as np
import structlog
from django.db import transaction

from marketdata.selectors import active_instruments
from mlops.dataset import load_panel
from mlops.errors import PromotionRefused
from mlops.forecasting.holdout import evaluate_holdout
from mlops.forecasting.promotion_gate import GateDecision, compare_holdouts
from mlops.models import Evaluation, ModelVersion
from mlops.selectors import champion
from mlops.services import locks
from mlops.services.registry import promote
from mlops.services.serving import bundle_of

log = structlog.get_logger(__name__)

Rule = Literal["superiority", "non_inferiority"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Challenger and champion, the promotion rule, and the sessions to compare on."""

    challenger: ModelVersion
    champion: ModelVersion
    rule: Rule
    first: date
    last: date


def judge_challenger(*, challenger: ModelVersion, now: datetime) -> Evaluation:
    """Compare the hold-out fits of `challenger` and the champion, store the evaluation, and promote if it says so.

    A version trained on newer sessions must be non-inferior, any other must be superior; an identical copy is never
    promoted. Only sessions after both hold-out fits count. Every call stores another evaluation. Raises NoChampion,
    and ArtifactCorrupt if the files of either version are damaged.
    """
    comparison = _comparison(challenger, champion())
    gate_decision = _decide(comparison)
    evaluation = record(comparison, gate_decision, now)
    log.info(
        "challenger_judged",
        challenger=challenger.version,
        champion=comparison.champion.version,
        rule=comparison.rule,
        decision=evaluation.decision,
        reason=evaluation.reason,
    )
    return evaluation


def _comparison(challenger: ModelVersion, serving: ModelVersion) -> Comparison:
    if challenger.pk == serving.pk:
        raise PromotionRefused(challenger.version, "it is already the champion")
    has_newer = challenger.trained_through > serving.trained_through
    return Comparison(
        challenger=challenger,
        champion=serving,
        rule="non_inferiority" if has_newer else "superiority",
        first=max(challenger.holdout_first, serving.holdout_first),
        last=max(challenger.holdout_last, serving.holdout_last),
    )


def _decide(comparison: Comparison) -> GateDecision:
    """Run the paired comparison; an identical copy is kept out without one."""
    if comparison.challenger.artifact_sha256 == comparison.champion.artifact_sha256:
        return _keep(
            f"No change: {comparison.challenger} is identical to {comparison.champion}, "
            f"trained on data to {comparison.champion.trained_through}."
        )
    panel = load_panel(instruments=active_instruments(), through=comparison.last)
    shared = panel.sessions[panel.sessions >= np.datetime64(comparison.first)].astype(object)
    if not len(shared):
        return _keep(f"There is no session from {comparison.first} to {comparison.last} on which to compare the two.")
    reports = [
        evaluate_holdout(bundle_of(version, "holdout"), panel, first=shared[0], last=shared[-1])
        for version in (comparison.challenger, comparison.champion)
    ]
    return compare_holdouts(reports[0], reports[1], rule=comparison.rule)


def _keep(reason: str) -> GateDecision:
    return GateDecision(decision="keep", reason=reason, statistics={})


def record(comparison: Comparison, gate_decision: GateDecision, now: datetime) -> Evaluation:
    """Store the evaluation and, in the same transaction, promote if it says so.

    Keep the champion if it changed during the comparison.
    """
    with transaction.atomic():
        locks.hold(locks.CHAMPION)
        if gate_decision.decision == "promote" and champion().pk != comparison.champion.pk:
            gate_decision = _keep(f"The champion changed during the comparison with {comparison.challenger}.")
        evaluation = Evaluation.objects.create(
            challenger=comparison.challenger,
            champion=comparison.champion,
            rule=comparison.rule,
            decision=Evaluation.Decision(gate_decision.decision),
            reason=gate_decision.reason,
            statistics=gate_decision.statistics,
            first=comparison.first,
            last=comparison.last,
            created_at=now,
        )
        if evaluation.decision == Evaluation.Decision.PROMOTE:
            promote(version=comparison.challenger, actor=None, reason=gate_decision.reason, now=now)
    return evaluation
