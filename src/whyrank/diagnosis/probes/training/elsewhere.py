"""What the log of a training elsewhere tells of its loss, beside the vectors that it started from.

Shapes: B pairs of a batch · P training pairs · D features
"""

from collections.abc import Iterator

import numpy as np

from whyrank.core.prepared import Prepared
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.recount import unit
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import BATCH, RunRecord

# Inverse temperatures that a loss may have; sentence-transformers takes 20, InfoNCE with cosines 10 to 100.
SCALES = (0.5, 1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 50.0, 70.0, 100.0)
# So many that are right leave a perfect ranker a loss near that of chance.
FLAT = 5.0
# Of the first logged losses, in which warm-up has hardly moved anything; and of batches drawn for what they would be.
FIRST, BATCHES = 3, 60
# By how much the log may differ from what a scale gives, as a share of it: where it is flat, batches hardly differ.
NEAR = 0.05


@probe("flat-temperature", on="trained", layer="training",
       explains=("tuning-brought-nothing", "worse-than-zero-shot", "worse-than-lexical", "underfitted"))  # fmt: skip
def flat_temperature(case: Examination) -> Iterator[Finding | Outcome]:
    """The first logged losses are those of the base's cosines under a temperature that flattens them."""
    for init, record in case.records.finetune.items():
        system, batch = case.systems.trained_from(init), int(record.metrics.get(BATCH, 0))
        run = case.records.runs.get(init)
        if not batch or len(record.history) < FIRST or run is None or run.query_vectors is None:
            yield not_applicable(system, "the first losses and the batch size of a training elsewhere, and its base")
            continue
        logged = float(record.history["loss"].head(FIRST).mean())
        losses = losses_at(run, case.data.ranking, batch, seed=case.seed)
        off = {scale: abs(loss / logged - 1) for scale, loss in losses.items()}
        likely = [scale for scale in sorted(off, key=off.__getitem__) if off[scale] <= NEAR]
        # A loss falls with the scale and rises again: a steep one may give the same, and is taken for granted then.
        scale = next((one for one in likely if one > FLAT), likely[0] if likely else None)
        usual = Evidence("loss that the base's cosines have at a scale of 20", losses[20.0])
        if scale is None:
            yield not_applicable(system, "a loss over the answers of the batch: no scale gives the logged one")
        elif scale > FLAT:
            yield passed(system, Evidence("inverse temperature that gives the first logged losses", scale), FLAT)
        else:
            least = float(np.log1p((batch - 1) * np.exp(-scale)))
            yield Finding(
                system=system,
                sentence=f"The training began at a loss of {logged:.2f}, which the cosines of {init} have under an "
                f"inverse temperature (scale) of {scale:g}: cosines from 0 to 1 can then bring it to {least:.2f} at "
                f"best, and chance is ln {batch} = {np.log(batch):.2f}.",
                evidence=(
                    Evidence("inverse temperature that gives the first logged losses", scale).against(FLAT),
                    Evidence("first logged losses, mean", logged),
                    Evidence("loss that the base's cosines have at that scale", losses[scale]),
                    usual,
                ),
                cause="Divided by so high a temperature all answers are nearly as likely as the right one: gradients "
                "push each pair apart by about as much, near ones no more than far ones.",
                fix=Fix({}, "train with scale=20 (temperature 0.05), as MultipleNegativesRankingLoss has by default"),
                reference="Wang and Liu 2021, arXiv:2012.09740; ST#1578",
                weight=20.0,
            )


def losses_at(run: RunRecord, data: Prepared, batch: int, *, seed: int) -> dict[float, float]:
    """By scale: mean cross-entropy of the right answer among those of a batch, for the training pairs; chance ln B."""
    assert run.query_vectors is not None and run.answer_vectors is not None
    pairs = data.relevant_in("train")
    query_PD = unit(run.query_vectors[pairs["query"]].astype(np.float64))
    answer_PD = unit(run.answer_vectors[pairs["answer"]].astype(np.float64))
    random, size = np.random.default_rng(seed), min(batch, len(pairs))
    found = np.zeros(len(SCALES))
    for _ in range(BATCHES):
        drawn = random.permutation(len(pairs))[:size]
        cosine_BB = query_PD[drawn] @ answer_PD[drawn].T
        for i, scale in enumerate(SCALES):
            exponent_BB = scale * (cosine_BB - np.diag(cosine_BB)[:, None])
            found[i] += np.log(np.exp(exponent_BB).sum(axis=1)).mean() / BATCHES
    return dict(zip(SCALES, found.tolist(), strict=True))
