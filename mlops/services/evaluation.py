"""Judging a newly trained version against the champion on dates neither has learned from."""

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
class Contest:
    """Who is compared with whom, by which rule, on which sessions."""

    challenger: ModelVersion
    champion: ModelVersion
    rule: Rule
    first: date
    last: date


def judge_challenger(*, challenger: ModelVersion, now: datetime) -> Evaluation:
    """Compare the hold-out fits of `challenger` and the champion, store the decision, and promote when it says so.

    A version that learned from newer sessions has to be no worse; one that did not has to be better, and an identical
    copy is kept out without a comparison. Only sessions after both hold-out fits ended count. Every call compares
    again and stores another evaluation. Raises NoChampion, and ArtifactCorrupt when either's files are damaged.
    """
    contest = _contest(challenger, champion())
    verdict = _verdict(contest)
    evaluation = record(contest, verdict, now)
    log.info(
        "challenger_judged",
        challenger=challenger.version,
        champion=contest.champion.version,
        rule=contest.rule,
        decision=evaluation.decision,
        reason=evaluation.reason,
    )
    return evaluation


def _contest(challenger: ModelVersion, serving: ModelVersion) -> Contest:
    if challenger.pk == serving.pk:
        raise PromotionRefused(challenger.version, "it is the champion already")
    has_newer = challenger.trained_through > serving.trained_through
    return Contest(
        challenger=challenger,
        champion=serving,
        rule="non_inferiority" if has_newer else "superiority",
        first=max(challenger.holdout_first, serving.holdout_first),
        last=max(challenger.holdout_last, serving.holdout_last),
    )


def _verdict(contest: Contest) -> GateDecision:
    """What the paired comparison says; an identical copy needs none."""
    if contest.challenger.artifact_sha256 == contest.champion.artifact_sha256:
        return _keep(
            f"Nothing new was learned: {contest.challenger} is a copy of {contest.champion}, "
            f"trained through {contest.champion.trained_through}."
        )
    panel = load_panel(instruments=active_instruments(), through=contest.last)
    shared = panel.sessions[panel.sessions >= np.datetime64(contest.first)].astype(object)
    if not len(shared):
        return _keep(f"There is no session from {contest.first} to {contest.last} to compare the two on.")
    reports = [
        evaluate_holdout(bundle_of(version, "holdout"), panel, first=shared[0], last=shared[-1])
        for version in (contest.challenger, contest.champion)
    ]
    return compare_holdouts(reports[0], reports[1], rule=contest.rule)


def _keep(reason: str) -> GateDecision:
    return GateDecision(decision="keep", reason=reason, statistics={})


def record(contest: Contest, verdict: GateDecision, now: datetime) -> Evaluation:
    """Store the evaluation and, in the same transaction, promote when it says so and the champion is still the one
    that was compared."""
    with transaction.atomic():
        locks.hold(locks.CHAMPION)
        if verdict.decision == "promote" and champion().pk != contest.champion.pk:
            verdict = _keep(f"Another version became champion while {contest.challenger} was being compared.")
        evaluation = Evaluation.objects.create(
            challenger=contest.challenger,
            champion=contest.champion,
            rule=contest.rule,
            decision=Evaluation.Decision(verdict.decision),
            reason=verdict.reason,
            statistics=verdict.statistics,
            first=contest.first,
            last=contest.last,
            created_at=now,
        )
        if evaluation.decision == Evaluation.Decision.PROMOTE:
            promote(version=contest.challenger, actor=None, reason=verdict.reason, now=now)
    return evaluation
