"""All probes. A probe of trained systems replaces the preflight probe of the same code, which knows less."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from whyrank.diagnosis.compare.pairs import Similarity, compare_similarity
from whyrank.diagnosis.compare.ratings import Ratings, compare_ratings
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pairs import forgetting, similarity
from whyrank.diagnosis.probes.pretraining import pretraining
from whyrank.diagnosis.probes.ranking import collapse, lexical, lists, ranking, representation, slices
from whyrank.diagnosis.probes.ratings import blocks as rating_blocks
from whyrank.diagnosis.probes.ratings import folds as rating_folds
from whyrank.diagnosis.probes.ratings import ratings
from whyrank.diagnosis.probes.ratings.lessons import highest_floor
from whyrank.diagnosis.probes.training import balance, objectives, schedule, training
from whyrank.findings.finding import Finding, in_order
from whyrank.findings.records import Records
from whyrank.preflight.examine import PREFLIGHT

PROBES: dict[str, Callable[[Examination], Iterator[Finding]]] = {
    "barlow-single-answer-batches": pretraining.barlow_single_answer_batches,
    "false-negatives-in-batch": training.false_negatives_in_batch,
    "duplicate-across-splits": slices.duplicate_across_splits,
    "truncation-loses-evidence": slices.truncation_loses_evidence,
    "pretraining-overfits": pretraining.pretraining_overfits,
    "pretraining-hurts": pretraining.pretraining_hurts,
    "pretraining-helps": pretraining.pretraining_helps,
    "scale-mismatch-after-pretraining": pretraining.scale_mismatch_after_pretraining,
    "worse-than-zero-shot": ranking.worse_than_zero_shot,
    "ties-decide-the-metric": lists.ties_decide_the_metric,
    "hub-answers": lists.hub_answers,
    "nothing-moves": objectives.nothing_moves,
    "dead-loss-term": objectives.dead_loss_term,
    "few-negatives": objectives.few_negatives,
    "antipodal-angle": objectives.antipodal_angle,
    "task-dominates": balance.task_dominates,
    "task-starved": balance.task_starved,
    "gradient-conflict": balance.gradient_conflict,
    "warmup-longer-than-training": schedule.warmup_longer_than_training,
    "no-warmup-spike": schedule.no_warmup_spike,
    "learning-rate-too-high": schedule.learning_rate_too_high,
    "underfitted": training.underfitted,
    "overfitted": training.overfitted,
    "collapsed-embeddings": collapse.collapsed_embeddings,
    "dimensional-collapse": collapse.dimensional_collapse,
    "question-conversation-gap": representation.question_conversation_gap,
    "answer-mixes-questions": representation.answer_mixes_questions,
    "similarity-worse-than-untouched": similarity.similarity_worse_than_untouched,
    "forgetting": forgetting.forgetting,
    "constant-predictions": ratings.constant_predictions,
    "fold-failed": rating_folds.fold_failed,
    "last-block-drops-surface": rating_blocks.last_block_drops_surface,
    "separate-encoders-lose-interaction": ratings.separate_encoders_lose_interaction,
    # Last, since it asks the others why.
    "worse-than-lexical": lexical.worse_than_lexical,
}

# What they say of a system is about its ranking, and for information where it was trained for ratings alone.
OF_RANKING = {
    "ties-decide-the-metric",
    "hub-answers",
    "collapsed-embeddings",
    "dimensional-collapse",
    "question-conversation-gap",
}
# The same of findings about an encoder before training, weighed in points of a metric of ranking.
OF_RANKING_METRICS = {"pooling-mismatch"}
# Weighed by the share of the tokens that is lost: what they tell is taken to be as much as the others do.
SHARES = {"fixed-allocation-truncates"}


def examine(
    records: Records,
    metric: str,
    resamples: int,
    level: float,
    seed: int,
    similar: Similarity | None = None,
    rated: Ratings | None = None,
) -> list[Finding]:
    """Every probe once, in order; each is told what those before it found.

    metric      per-query metric that decides, such as `accuracy@1`;  resamples   bootstrap draws
    level       of the intervals, 0 to 1
    similar, rated   `compare_similarity` and `compare_ratings` of the same records, where they are known already
    """
    draws: dict[str, Any] = {"level": level, "resamples": resamples, "seed": seed}
    similar = similar or compare_similarity(records, **draws)
    case = Examination(records, metric, resamples, level, seed, similar, rated or compare_ratings(records, **draws))
    for code, preflight in PREFLIGHT.items():
        found = preflight(records.data) if code not in PROBES else ()
        case.said.extend(_in_points(case, finding) for finding in found)
    for probe in PROBES.values():
        case.said.extend(_in_points(case, _weighed(case, finding)) for finding in probe(case))
    return in_order(case.said)


def _in_points(case: Examination, finding: Finding) -> Finding:
    """Where ratings are what a run is about, its findings are in order of what they cost in ratings."""
    if case.ratings is None or not case.ratings.is_first:
        return finding
    if finding.code in SHARES:
        return replace(finding, weight=finding.weight * highest_floor(case, "fold_mean")[1])
    if finding.code not in OF_RANKING_METRICS:
        return finding
    sentence = f"In ranking, for which nothing was trained: {finding.sentence}"
    return replace(finding, severity="info", sentence=sentence, weight=0.0)


def _weighed(case: Examination, finding: Finding) -> Finding:
    """For information, where it is about a ranking that the system was not trained for."""
    record = case.records.training_of(finding.system)
    if finding.code not in OF_RANKING or record is None or not record.is_for_ratings:
        return finding
    sentence = f"In ranking, which {finding.system} was not trained for: {finding.sentence}"
    return replace(finding, severity="info", sentence=sentence)
