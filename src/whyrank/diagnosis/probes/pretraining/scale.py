"""Fine-tuning that starts from logits of another size, because pretraining changed the length of vectors."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pretraining.pretraining import COSINE, cost
from whyrank.diagnosis.probes.ranking.training import ranks
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Ratio of the spread of logits at the first steps. A softmax has a useful range of one decade (scale 5 to 50 with the
# cosine, ST#2815, #3054); a factor of 5 either way leaves it.
SCALE_FACTOR = 5.0
# First loss over that of a random choice: twice means that the model is sure and wrong before it has learned anything.
SATURATED = 2.0
FIRST_STEPS = 5


@probe(
    "scale-mismatch-after-pretraining",
    on="trained",
    explains=("pretraining-hurts", "worse-than-zero-shot"),
    layer="training",
)
def scale_mismatch_after_pretraining(case: Examination) -> Iterator[Finding | Outcome]:
    """With a dot product, pretraining changed the size of the logits that fine-tuning starts from."""
    system, other = next((pair for pair in case.systems.pretraining if pair[0] in case.systems.tuned), ("", ""))
    before, after = case.records.training_of(other), case.records.training_of(system)
    run = case.records.runs.get(system)
    if not ranks(before) or not ranks(after) or run is None or run.metrics["score_kind_cosine"] == 1:
        yield not_applicable("finetune_rank", "ranking by dot product, with and without pretraining")
        return
    spread, loss = _first(before, after, "logit_std"), _first(before, after, "rank_loss")
    chance = _first(before, after, "rank_chance")
    ratio = spread[1] / max(spread[0], 1e-12)
    saturates = loss[1] > SATURATED * chance[1] and loss[0] <= SATURATED * chance[0]
    if 1 / SCALE_FACTOR < ratio < SCALE_FACTOR and not saturates:
        yield passed(system, Evidence("spread of the first logits, of that without pretraining", ratio), SCALE_FACTOR)
        return
    starts = [case.systems.start[name] for name in (other, system)]
    norms = [
        Evidence(f"vector norm of {name}", case.records.runs[name].metrics["vector_norm"])
        for name in starts
        if name in case.records.runs
    ]
    yield Finding(
        system=system,
        sentence=f"After pretraining, fine-tuning starts with logits {ratio:.2g} times as spread as without it, and a "
        f"loss of {loss[1]:.1f} nats (chance is {chance[1]:.1f}).",
        evidence=(
            Evidence(f"logit standard deviation, from {starts[0]}", spread[0]),
            Evidence(f"logit standard deviation, from {starts[1]}", spread[1]).where_from(SCALE_FACTOR * spread[0]),
            Evidence(f"first loss, from {starts[0]}", loss[0], "nats"),
            Evidence(f"first loss, from {starts[1]}", loss[1], "nats").where_from(SATURATED * chance[1]),
            *norms,
        ),
        cause="A dot product grows with the length of both vectors, and the pretrained head gives vectors of another "
        "length: the softmax is saturated (or flat) and has little gradient until training has undone the scale.",
        fix=Fix(dict(COSINE)),
        reference="barlowtwins#9; setfit#135; ST#2815",
        weight=cost(case),
    )


def _first(before: TrainingRecord, after: TrainingRecord, column: str) -> tuple[float, float]:
    """Mean over the first steps of both trainings; warm-up keeps the weights about where they were."""
    one, other = (float(record.history[column].head(FIRST_STEPS).mean()) for record in (before, after))
    return one, other
