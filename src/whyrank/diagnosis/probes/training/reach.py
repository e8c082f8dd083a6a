"""Whether the gradient reaches all that training may change, and both sides of what a loss compares."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.effects import tasks
from whyrank.diagnosis.probes.training.gradient import LITTLE, OWN, parts
from whyrank.diagnosis.probes.training.steps import each_training
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import TrainingRecord

# Weights that a training of a head or a layer has at least.
FEWEST_WEIGHTS = 10


@probe("gradient-misses-weights", on="trained", explains=LITTLE)
@each_training
def gradient_misses_weights(case: Examination, init: str, record: TrainingRecord) -> Iterator[Finding | Outcome]:
    """Parts that training may change, and that no step gave a gradient; or next to nothing that it may change."""
    yield from _one_sided(record)
    own = parts(record.history)
    if not own:
        yield not_applicable("", "gradients by part of the system")
        return
    weights = int(record.history["trained_weights"].iloc[0])
    # A scale at its bound, or one that is fixed, has none.
    missed = [part for part, gradient in own.items() if gradient.max() == 0 and part != OWN]
    if weights >= FEWEST_WEIGHTS and not missed:
        yield passed("", Evidence("parts without a gradient", 0, "parts"), 1)
        return
    # An objective may have no more than the scale of the scores, which ranks nothing.
    nothing_left = weights < FEWEST_WEIGHTS or set(own) - set(missed) <= {OWN}
    yield Finding(
        severity="error" if nothing_left else "warning",
        sentence=f"Training has {weights} weight{'s' if weights != 1 else ''} to change: neither encoder nor head "
        f"learns."
        if weights < FEWEST_WEIGHTS
        else f"No gradient reached {_spoken(missed)} in {len(record.history)} steps, though training may change "
        f"{'it' if len(missed) == 1 else 'them'}.",
        evidence=(
            Evidence("weights that training may change", weights, "weights"),
            Evidence("parts without a gradient", len(missed), "parts").against(1),
            *(
                Evidence(f"gradient of {part}, largest of the steps", float(gradient.max()))
                for part, gradient in own.items()
            ),
        ),
        cause="The encoder is frozen where it should learn: by requires_grad, a no_grad or a detached vector on the "
        "way, "
        "or a schedule that never unfroze it.",
        fix=Fix(
            {
                "finetune_rank.freeze_steps": 0,
                "finetune_rank.unfreeze_every": 0,
                **{f"finetune_rank.objectives.{name}.freeze_encoder": False for name in sorted(record.objectives)},
            },
            "or look for what detaches the vectors",
        ),
        reference="ST#680; peft#793",
        weight=CAUSE if nothing_left else 5.0,
    )


def _one_sided(record: TrainingRecord) -> Iterator[Finding]:
    """A loss compares two sides; a detached one is compared and never learns."""
    for task in tasks():
        sides = {
            text: record.history.get(f"{task.name}_side_{number}_gradient")
            for number, text in enumerate(task.sides, start=1)
        }
        largest = {text: float(gradient.max()) for text, gradient in sides.items() if gradient is not None}
        missed = [text for text, most in largest.items() if most == 0]
        if not missed or len(missed) == len(largest):
            continue
        yield Finding(
            severity="error",
            sentence=f"No gradient reached the vectors of the {missed[0]} in {len(record.history)} steps: the loss of "
            f"`{task.name}` moves the {next(text for text in largest if text not in missed)} alone.",
            evidence=tuple(
                Evidence(f"gradient of the vectors of the {text}, largest of the steps", most)
                for text, most in largest.items()
            ),
            cause="One side of the comparison is detached: by detach, a no_grad around its encoding, or vectors that "
            "were computed before.",
            fix=Fix({}, f"look for a detach or no_grad between the vectors of the {missed[0]} and the loss"),
            reference="PyTorch: Tensor.detach; the stop-gradient of SimSiam, arXiv:2011.10566, is on purpose",
            weight=CAUSE,
        )


def _spoken(names: list[str]) -> str:
    return ", ".join(name.replace("block_", "layer ").replace("heads", "the heads") for name in names)
