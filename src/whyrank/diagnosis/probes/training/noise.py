"""Vectors of another tool that differ from those of their base by noise: something random was left on.

What we encode ourselves is encoded twice, see `vector-not-repeatable` and `library-disagrees`.

Shapes: N texts · D features
"""

from collections.abc import Iterator

import numpy as np

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.recount import unit
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# Texts that are compared, each with the most alike other one.
TEXTS = 400
# Cosine of a text's two vectors below which they differ at all.
MOVED = 0.9995
# Mean cosine of how two like texts were moved: training moves them alike, dropout does not.
ALIKE = 0.10
# Of the most alike other text; texts further apart may move apart.
NEAR = 0.6


@probe("vectors-with-noise", on="trained", layer="evaluation",
       explains=("worse-than-zero-shot", "worse-than-lexical", "tuning-brought-nothing", "overfitted"))  # fmt: skip
def vectors_with_noise(case: Examination) -> Iterator[Finding | Outcome]:
    """Texts that are alike moved each in its own direction."""
    for system, start in case.systems.untuned.items():
        runs, is_foreign = case.records.runs, case.systems.options[system].kind == "vectors"
        pair = (runs[start], runs[system]) if is_foreign and start in runs and system in runs else None
        found = None if pair is None else movement(*pair, seed=case.seed)
        if found is None:
            yield not_applicable(system, f"vectors of another tool, and those of {start}, of one width")
            continue
        together, kept = found
        measured = Evidence("cosine of how like texts were moved", together)
        if together >= ALIKE:
            yield passed(system, measured, ALIKE)
            continue
        yield Finding(
            severity="error",
            system=system,
            sentence=f"The vectors of {system} are those of {start} with noise: texts that {start} finds alike were "
            f"moved each its own way (cosine {together:.2f}), by as much as leaves a cosine of {kept:.3f}.",
            evidence=(measured.against(ALIKE), Evidence(f"cosine of a text's vector with that of {start}", kept)),
            cause="A training moves like texts alike. What moves each by itself is random: dropout that was live while "
            "the texts were encoded, or vectors that were assigned to other texts.",
            fix=Fix({}, "call eval() on the model before it encodes, as `model.encode` of sentence-transformers does, "
                        "and write the vectors anew"),
            reference="transformers#33844; opensearch ml-commons#4744",
            weight=CAUSE + 100 * (1 - kept),
        )  # fmt: skip


def movement(start: RunRecord, after: RunRecord, *, seed: int) -> tuple[float, float] | None:
    """Mean cosine of the movements of like texts, and of a text's vectors; None where nothing can be said."""
    tables = [(run.query_vectors, run.answer_vectors) for run in (start, after)]
    if any(query is None or answer is None for query, answer in tables):
        return None
    before_ND, after_ND = (
        np.concatenate([unit(part.astype(np.float64)) for part in table if part is not None]) for table in tables
    )
    if before_ND.shape != after_ND.shape:
        return None
    drawn = np.sort(np.random.default_rng(seed).permutation(len(before_ND))[:TEXTS])
    before_ND, after_ND = before_ND[drawn], after_ND[drawn]
    kept = float((before_ND * after_ND).sum(axis=1).mean())
    cosine_NN = before_ND @ before_ND.T
    np.fill_diagonal(cosine_NN, -1)
    nearest_N = cosine_NN.argmax(axis=1)
    # Equal texts have equal vectors, however they were moved.
    is_near_N = (cosine_NN.max(axis=1) >= NEAR) & (cosine_NN.max(axis=1) < 1 - 1e-6)
    if kept >= MOVED or is_near_N.sum() < 20:
        return None
    moved_ND = after_ND - before_ND
    # What all have in common, as a shift of the whole, says nothing of one text.
    moved_ND = unit(moved_ND - moved_ND.mean(axis=0))
    return float((moved_ND * moved_ND[nearest_N]).sum(axis=1)[is_near_N].mean()), kept
