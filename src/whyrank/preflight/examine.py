"""Probes that need only data and the first batches. `prepare` imports this: it stays free of all else."""

from collections.abc import Callable, Iterator

from whyrank.core.errors import UserError
from whyrank.findings.finding import Finding, in_order
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes import (
    batches,
    data,
    labels,
    pair_batches,
    pooling,
    rating_columns,
    rating_labels,
    rating_tokens,
    tokenizer,
    truncation,
)

PREFLIGHT: dict[str, Callable[[DataRecords], Iterator[Finding]]] = {
    "barlow-single-answer-batches": batches.barlow_single_answer_batches,
    "false-negatives-in-batch": batches.false_negatives_in_batch,
    "duplicate-across-splits": data.duplicate_across_splits,
    "conflicting-duplicates": data.conflicting_duplicates,
    "truncation-loses-evidence": truncation.truncation_loses_evidence,
    "answers-without-queries": data.answers_without_queries,
    "type-imbalance": data.type_imbalance,
    "labels-reversed": labels.labels_reversed,
    "labels-unordered": labels.labels_unordered,
    "labels-out-of-range": labels.labels_out_of_range,
    "unlabelled-rows-trained-on": labels.unlabelled_rows_trained_on,
    "fractional-labels-truncated": pair_batches.fractional_labels_truncated,
    "constant-label-batches": pair_batches.constant_label_batches,
    "tokenizer-mismatch": tokenizer.tokenizer_mismatch,
    "pooling-mismatch": pooling.pooling_mismatch,
    "target-out-of-range": rating_columns.target_out_of_range,
    "non-target-column": rating_columns.non_target_column,
    "group-leak": rating_labels.group_leak,
    "undefined-targets": rating_labels.undefined_targets,
    "target-imbalance": rating_labels.target_imbalance,
    "fixed-allocation-truncates": rating_tokens.fixed_allocation_truncates,
}


def preflight(data_records: DataRecords) -> list[Finding]:
    """What can be said before any training, in order."""
    return in_order([finding for probe in PREFLIGHT.values() for finding in probe(data_records)])


def stop(findings: list[Finding], on: str) -> None:
    """Raises UserError with the first finding of the severity `on` and its remedy; `never` raises nothing."""
    errors = [finding for finding in findings if finding.severity == on]
    if errors:
        remedy = errors[0].fix.command or errors[0].fix.action
        raise UserError(
            f"preflight: {errors[0].code}: {errors[0].sentence} Remedy: {remedy}; to go on: preflight.stop_on=never"
        )
