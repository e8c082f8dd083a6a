"""Training beside evaluation: the vectors of the same texts.

Shapes: G golden texts · D features
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.recount import score_kind, unit
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# Cosine of a text's vectors in training and in evaluation. The default run in float32 had 0.9999998; bfloat16 rounds
# to 8 bits, so chosen far below.
SAME = 0.999
# Relative difference of their lengths; bfloat16 keeps 8 bits of a number.
SAME_LENGTH = 0.02

SYMPTOMS = (
    "underfitted",
    "overfitted",
    "worse-than-zero-shot",
    "worse-than-lexical",
    "tuning-brought-nothing",
    "pretraining-hurts",
    "forgetting",
    "similarity-worse-than-zero-shot",
    "encoder-at-chance",
    "below-chance",
    "trained-at-chance",
    "collapsed-embeddings",
    "dimensional-collapse",
    "hub-answers",
    "question-conversation-gap",
)
BOTH = {"query": "query_vector", "answer": "answer_vector"}
OTHER = {"query": "answer_vector", "answer": "query_vector"}


class Pair(NamedTuple):
    """Vectors of the same texts, (G, D) each: in the training, and as the system was evaluated."""

    trained_GD: np.ndarray
    evaluated_GD: np.ndarray

    @property
    def cosine_G(self) -> np.ndarray:
        if self.trained_GD.shape != self.evaluated_GD.shape:
            return np.zeros(len(self.trained_GD))
        cosine_G: np.ndarray = (unit(self.trained_GD) * unit(self.evaluated_GD)).sum(axis=1)
        return cosine_G

    @property
    def is_same(self) -> bool:
        return bool(self.cosine_G.min() >= SAME)

    @property
    def length(self) -> float:
        """Median length of the evaluated vectors, as a share of that of the trained ones."""
        before_G, after_G = (np.linalg.norm(vector_GD, axis=1) for vector_GD in self)
        return float(np.median(after_G / np.maximum(before_G, 1e-12)))


@probe("reload-changes-vectors", on="trained", explains=("evaluation-differs-from-training", *SYMPTOMS),
       layer="evaluation")  # fmt: skip
def reload_changes_vectors(case: Examination) -> Iterator[Finding | Outcome]:
    """The system that was evaluated gives texts other vectors than the one that was trained."""
    for system in case.systems.start:
        record, run = case.records.training_of(system), case.records.runs.get(system)
        if record is None or run is None or record.golden.empty or run.query_vectors is None:
            yield not_applicable(system, "vectors that its training recorded")
            continue
        pair = ranked(record.golden, run)
        is_cosine = score_kind(run) == "cosine"
        cosine = Evidence("lowest cosine of a text's two vectors", float(pair.cosine_G.min()))
        if pair.is_same and (is_cosine or abs(pair.length - 1) <= SAME_LENGTH):
            yield passed(system, cosine, SAME)
            continue
        pooling = case.systems.options[system].pooling
        yield Finding(
            severity="info" if pooling != "auto" and is_beside(case, system) else "error",
            system=system,
            sentence=f"{system} was evaluated with other vectors than it was trained with: those of the same text have "
            f"a mean cosine of {pair.cosine_G.mean():.3f} ({cosine.value:.3f} at least), and "
            + (why(case, system) if pooling == "auto" else f"its tokens are pooled by {pooling}, not as in training")
            + ".",
            evidence=(
                Evidence("mean cosine of a text's two vectors", float(pair.cosine_G.mean())),
                cosine.against(SAME),
                Evidence("length of the evaluated vectors, of those in training", pair.length),
                Evidence("texts compared", len(pair.cosine_G), "texts"),
            ),
            cause="What was loaded for evaluation is not what was trained: whatever training brought, its metrics are "
            "those of another model.",
            fix=Fix({f"systems.{system}.pooling": "auto"})
            if pooling != "auto"
            else Fix({}, f"find what differs between saving and loading {case.systems.options[system].made_of}; then "
                        f"run `dvc repro --force evaluate@{system}`"),
            reference="unslothai/unsloth#6881; PromCSE#11; ST#1270, #2979; transformers#33844",
            weight=CAUSE + 100 * (1 - float(pair.cosine_G.mean())),
        )  # fmt: skip


def is_beside(case: Examination, system: str) -> bool:
    """Whether what was trained is evaluated as it was trained, too, and the system is a variant of it."""
    own = case.systems.options[system]
    return any(one.made_of == own.made_of and one.pooling == "auto" for one in case.systems.options.values())


def ranked(golden: pd.DataFrame, run: RunRecord) -> Pair:
    """Of each golden text the vector of its own side, in the training and among those that were ranked."""
    assert run.query_vectors is not None and run.answer_vectors is not None
    table = {"query": run.query_vectors, "answer": run.answer_vectors}
    evaluated = [table[side][row] for side, row in zip(golden["side"], golden["row"], strict=True)]
    return Pair(of_side(golden, BOTH), np.stack(evaluated))


def of_side(golden: pd.DataFrame, column: dict[str, str]) -> np.ndarray:
    """(G, O) of the head that `column` names for the side of each text."""
    by_row = [dict(zip(golden.columns, row, strict=True)) for row in golden.itertuples(index=False)]
    return np.stack([row[column[row["side"]]] for row in by_row])


def why(case: Examination, system: str) -> str:
    """What the evaluated vectors are instead, as far as the records show it."""
    record, run = case.records.training_of(system), case.records.runs[system]
    assert record is not None
    golden, pair = record.golden, ranked(record.golden, run)
    if pair.trained_GD.shape != pair.evaluated_GD.shape:
        return f"have {pair.evaluated_GD.shape[1]} features instead of {pair.trained_GD.shape[1]}"
    if pair.is_same:
        return f"their length is {pair.length:.2g} times as large: they were normalised in one of the two only"
    below_GD = np.stack(list(golden["encoder_vector"]))
    instead = {
        "they are those below the heads: the heads were not loaded": below_GD,
        "they are those of the other head: the heads of queries and answers were swapped": of_side(golden, OTHER),
    }
    for start in [case.systems.start[system]]:
        before = case.records.runs.get(start)
        if before is not None and before.query_vectors is not None:
            instead[f"they are those of {start}: the weights are those before training"] = ranked(
                golden, before
            ).evaluated_GD
    for words, vector_GD in instead.items():
        if Pair(vector_GD, pair.evaluated_GD).is_same and not Pair(pair.trained_GD, vector_GD).is_same:
            return words
    if (side := moved_side(golden, run)) is not None:
        return f"they are those of other {side}: rows of vectors stand in another order than the texts"
    if run.golden is None or run.golden.empty:
        return "they are none that training had"
    again = ranked(run.golden, run)
    if not again.is_same:
        return (
            f"a second pass over the same texts gives other ones again (cosine {again.cosine_G.mean():.3f}): dropout "
            "is on in evaluation, or a text's vector depends on its batch"
        )
    encoders = Pair(below_GD, np.stack(list(run.golden["encoder_vector"])))
    if encoders.is_same:
        return "the encoder gives the same ones: the heads differ (other weights, or batch statistics that are live)"
    return (
        f"they differ below the heads already (cosine {encoders.cosine_G.mean():.3f}): another pooling, prompt, cut, "
        "attention mask or other weights of the encoder"
    )


def moved_side(golden: pd.DataFrame, run: RunRecord) -> str | None:
    """queries | answers, where most vectors that are not those of the training are there, in the row of another text.

    None where they are not, or texts are nearly copies.
    """
    assert run.query_vectors is not None and run.answer_vectors is not None
    vectors = {"query": ("queries", run.query_vectors), "answer": ("answers", run.answer_vectors)}
    own = of_side(golden, BOTH)
    for side, (name, evaluated_ND) in vectors.items():
        at_G = np.flatnonzero(golden["side"] == side)
        if not len(at_G) or own.shape[1] != evaluated_ND.shape[1]:
            continue
        cosine_GN = unit(own[at_G]) @ unit(evaluated_ND).T
        is_off_G = cosine_GN[np.arange(len(at_G)), golden["row"].to_numpy()[at_G]] < SAME
        is_elsewhere_G = cosine_GN.max(axis=1) >= SAME
        if is_off_G.sum() >= 2 and (is_off_G & is_elsewhere_G).sum() > is_off_G.sum() / 2:
            return name
    return None
