"""Results of the rounds as a table: one line for the same work of two contenders, the ratio taken within each round."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import task as tasks
from contenders import CONTENDERS, EPOCHS_FROZEN, LEARNING_RATE, TUNED, Left, Results
from machine import Machine

from whyrank.measure.significance.statistics import resample_means

EPOCHS_LAST = 3
HEAD = ("measured", "beside", "whyrank", "other", "times as fast (range)", "remark")
NOTES = """\
Each contender is the same encoder on the same pairs, texts and tokens, in a process of its own. They take turns, and
*times as fast* is the median over the rounds of the ratio within one. All train with AdamW, a learning rate of {rate:g}
that falls to 0 in a straight line, no weight decay, and in-batch negatives under a scale of 20, in full batches. A step
is timed with the making of its batch; whyrank tokenises in an earlier stage, and its steps are charged with that.

- sentence-transformers does not read `train_sampling_strategy`; its lengths are grouped by a sampler of ours. As it
  comes, it trains with the attention dropout of 0.1 that the encoder declares; whyrank with
  `encoder.attention_dropout` of params.yaml, {dropout:g}.
- angle_emb starts with 1,000 steps of warm-up and drops pairs with a text that the batch has already; both are off.
- whyrank encodes a text that stands in a batch twice once.
- Seconds of a whole training are those of its set-up and, for each step, the mean of {steps} timed ones; only whyrank
  with the frozen encoder is timed from start to end. No figure includes evaluations on the dev set.
- Operations of a training step, for each token: 6 for each weight of the layers, and in each layer 12 D for each token
  attended to (D features). Embeddings, softmax and the optimiser are left out.
"""

Seconds = Callable[[dict[str, Any]], float]


class Row(NamedTuple):
    """The same work done by two contenders, in seconds, or `things` of it per second where that is above 0."""

    what: str
    ours: str
    theirs: str
    ours_seconds: Seconds
    theirs_seconds: Seconds
    things: int = 0
    compares_vectors: bool = False


def rows(pairs: int, corpus: int, batch: int) -> Iterator[Row]:
    for name in TUNED:
        yield Row("fine-tuning the whole encoder, pairs/s", "ours", name, step, step, batch)
    what = f"frozen encoder, {EPOCHS_FROZEN} epochs, s"
    yield Row(what, "ours, frozen", "theirs, frozen", whole, steps(EPOCHS_FROZEN * pairs / batch))
    count = EPOCHS_LAST * pairs / batch
    what = f"last two layers, {EPOCHS_LAST} epochs, s"
    yield Row(what, "ours, last", "ours", lambda result: result["setup"] + steps(count)(result), steps(count))
    for name in ("theirs, encode", "theirs, encode bf16"):
        yield Row("encoding, texts/s", "ours, encode", name, whole, whole, corpus, compares_vectors=True)


def step(result: dict[str, Any]) -> float:
    return float(result["step"])


def whole(result: dict[str, Any]) -> float:
    return float(result["whole"])


def steps(count: float) -> Seconds:
    return lambda result: count * step(result)


def lines(task: tasks.Task, options: argparse.Namespace, results: Results, left: Left) -> Iterator[Sequence[str]]:
    for row in rows(task.pairs, task.corpus, options.batch):
        beside = "whyrank, whole encoder" if row.theirs == "ours" else CONTENDERS[row.theirs].shown
        yield [row.what, beside, *(left_or(left, row.theirs) or left_or(left, row.ours) or measured(row, results))]
    for name in TUNED:
        figures = left_or(left, name) or learnt(task, results, name, options.seed)
        yield [f"accuracy@1 on dev after {options.warm_up + options.steps + 1} steps", CONTENDERS[name].shown, *figures]


def left_or(left: Left, name: str) -> list[str]:
    return ["", "", "", left.reasons[name]] if name in left.reasons else []


def measured(row: Row, results: Results) -> list[str]:
    ours = np.array([row.ours_seconds(result) for result in results[row.ours]])
    theirs = np.array([row.theirs_seconds(result) for result in results[row.theirs]])
    shown = [f"{np.median(row.things / side if row.things else side):.4g}" for side in (ours, theirs)]
    ratio = theirs / ours
    remark = ""
    if row.compares_vectors:
        vectors = (results[name][0]["vectors"] for name in (row.ours, row.theirs))
        remark = f"largest cosine distance of the vectors {tasks.largest_distance(*vectors):.1g}"
    return [*shown, f"{np.median(ratio):.2f} ({ratio.min():.2f} to {ratio.max():.2f})", remark]


def learnt(task: tasks.Task, results: Results, name: str, seed: int) -> list[str]:
    """Means over the rounds, and their difference with its 95 % interval, clustered by answer."""
    sides = [[tasks.accuracy(task, result["vectors"]) for result in results[one]] for one in ("ours", name)]
    ours_Q, theirs_Q = (np.mean([each.correct_Q for each in side], axis=0) for side in sides)
    resampled = resample_means({"ours": ours_Q, "theirs": theirs_Q}, sides[0][0].cluster_Q, seed=seed)
    difference, low, high = resampled.difference("ours", "theirs", 0.95)
    verdict = "equal within noise" if low <= 0 <= high else "not equal"
    interval = f"{difference:+.3f} [{low:+.3f}, {high:+.3f}] on {len(ours_Q)} queries"
    return [f"{ours_Q.mean():.3f}", f"{theirs_Q.mean():.3f}", "", f"{interval}: {verdict}"]


def reached(machine: Machine, task: tasks.Task, results: Results) -> str:
    """How much of the processor the training of the whole encoder uses."""
    tokens = float(np.median([result["tokens_per_second"] for result in results["ours"]]))
    rate = tokens * task.operations_per_token / 1e9
    precision = "bfloat16" if machine.has_bf16 else "float32"
    share = f"{rate / machine.peak:.0%} of its {precision} products"
    return f"{tokens:,.0f} tokens/s, {rate:.0f} GFLOP/s, {share}"


def markdown(machine: Machine, task: tasks.Task, options: argparse.Namespace, results: Results, left: Left) -> str:
    """The whole page."""
    about = [
        ("processor", f"{machine.processor}, {machine.cores} cores, {machine.threads} threads"),
        ("bfloat16", "yes" if machine.has_bf16 else "no matrix unit for it, so whyrank stays with float32"),
        ("matrix products", f"{machine.float32:.0f} GFLOP/s float32, {machine.bfloat16:.0f} GFLOP/s bfloat16"),
        ("whyrank, whole encoder", reached(machine, task, results)),
        ("training", f"{task.pairs} pairs, {options.tokens} tokens a text at most, batches of {options.batch} pairs"),
        ("rounds", f"{options.repeats}, of {options.steps} timed steps after {options.warm_up} of warm-up"),
    ]
    return "\n".join(
        [
            "# Speed beside peers\n",
            grid(["", ""], about),
            grid(HEAD, list(lines(task, options, results, left))),
            NOTES.format(rate=LEARNING_RATE, steps=options.steps, dropout=task.attention_dropout),
        ]
    )


def grid(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, ["---"] * len(head), *body]) + "\n"
