"""All probes. A probe of trained systems replaces the preflight probe of the same code, which knows less."""

from collections.abc import Callable, Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.finding import Finding, in_order
from whyrank.diagnosis.preflight import PREFLIGHT
from whyrank.diagnosis.probes import (
    balance,
    collapse,
    forgetting,
    lists,
    objectives,
    pretraining,
    ranking,
    representation,
    schedule,
    similarity,
    slices,
    training,
)
from whyrank.diagnosis.records import Records
from whyrank.diagnosis.similarity import Similarity, compare_similarity

PROBES: dict[str, Callable[[Examination], Iterator[Finding]]] = {
    "barlow-single-answer-batches": pretraining.barlow_single_answer_batches,
    "false-negatives-in-batch": training.false_negatives_in_batch,
    "duplicate-across-splits": slices.duplicate_across_splits,
    "truncation-loses-evidence": slices.truncation_loses_evidence,
    "pretraining-overfits": pretraining.pretraining_overfits,
    "pretraining-hurts": pretraining.pretraining_hurts,
    "pretraining-helps": pretraining.pretraining_helps,
    "scale-mismatch-after-pretraining": pretraining.scale_mismatch_after_pretraining,
    "worse-than-lexical": ranking.worse_than_lexical,
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
}


def examine(
    records: Records, metric: str, resamples: int, level: float, seed: int, similar: Similarity | None = None
) -> list[Finding]:
    """Every probe once, in order; each is told what those before it found.

    metric      per-query metric that decides, such as `accuracy@1`;  resamples   bootstrap draws
    level       of the intervals, 0 to 1
    similar     `compare_similarity` of the same records, where it is known already
    """
    similar = similar or compare_similarity(records, level=level, resamples=resamples, seed=seed)
    case = Examination(records, metric, resamples, level, seed, similar)
    for code, preflight in PREFLIGHT.items():
        case.said.extend(preflight(records.data) if code not in PROBES else ())
    for probe in PROBES.values():
        case.said.extend(probe(case))
    return in_order(case.said)
