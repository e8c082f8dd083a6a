"""Slips that a commit brings into training, encoding or evaluation, as patches of ours."""

import dataclasses
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

import whyrank.batches.ranking as batches
from whyrank.measure.metrics import ranking as metrics
from whyrank.model.encoder import encoder as encoders
from whyrank.model.encoder import vector_cache
from whyrank.scoring.search import embed
from whyrank.training.engine import loop, optimiser, sharding
from whyrank.training.engine.watch import changing
from whyrank.training.ranking import losses
from whyrank.training.ranking.objective import RankObjective

from ..fault import Fault
from ..patches import wrapped
from ..patching import replace

LAST = {"finetune_rank.early_stopping.metric": ""}


def answer_texts_off_by_one() -> None:
    """Training looks up the text behind each answer's own."""

    def change(old: Any, self: RankObjective, given: Any) -> None:
        old(self, given)
        self.answer_text_A = np.roll(self.answer_text_A, -1)

    wrapped(RankObjective, "__init__", change)


def epsilon_of_one() -> None:
    def change(old: Any, self: optimiser.Optimiser, *given: Any, **named: Any) -> None:
        old(self, *given, **named)
        for group in self.adamw.param_groups:
            group["eps"] = 1.0

    wrapped(optimiser.Optimiser, "__init__", change)


def target_shared_out(share: float = 0.97) -> None:
    """So much of each target goes to all candidates alike."""

    def change(old: Any, logit_BC: torch.Tensor, target_B: torch.Tensor, ignored_BC: torch.Tensor) -> torch.Tensor:
        kept_BC = ~ignored_BC.scatter(1, target_B[:, None], False)
        log_BC = logit_BC.masked_fill(~kept_BC, float("-inf")).log_softmax(1).masked_fill(~kept_BC, 0.0)
        even = -(log_BC.sum(1) / kept_BC.sum(1)).mean()
        return (1 - share) * old(logit_BC, target_B, ignored_BC) + share * even

    wrapped(losses, "ranking_cross_entropy", change)


def average_kept(decay: float = 0.9995) -> None:
    """The weights at the end are their moving average since the start."""

    def step(old: Any, self: loop.Loop, number: int) -> None:
        if number == 1:
            self.average = changing(self.trained, self.trainable)
        old(self, number)
        for name, value in changing(self.trained, self.trainable).items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)

    def end(old: Any, self: loop.Loop) -> Any:
        history = old(self)
        if hasattr(self, "average"):
            sharding.load(self.trained, self.average)
        return history

    wrapped(loop.Loop, "step", step)
    wrapped(loop.Loop, "end", end)


def tokens_masked(share: float = 0.5) -> None:
    """Half of the tokens of a text, the same ones each time, are [MASK]."""
    old = encoders.Encoder.tokens

    def tokens(self: encoders.Encoder, rows: Any, layout: Any) -> torch.Tensor:
        mask = self.tokenizer.convert_tokens_to_ids("[MASK]")
        return old(self, [masked(row, mask, share) for row in rows], layout)

    replace(encoders.Encoder, "tokens", tokens)


def masked(row: Any, mask: int, share: float) -> np.ndarray:
    ids = np.array(row)
    random = np.random.default_rng(zlib.crc32(ids.astype(np.int64).tobytes()))
    inner = slice(1, -1)
    ids[inner][random.random(len(ids[inner])) < share] = mask
    return ids


def not_found_is_first(found: int = 5) -> None:
    """What is not among the first five gets the default 0 for the number of answers above it."""

    def change(old: Any, places: Any, **named: Any) -> Any:
        above_P = np.where(places.above_P >= found, 0, places.above_P)
        return old(dataclasses.replace(places, above_P=above_P), **named)

    wrapped(metrics, "per_query", change)


def heads_exchanged() -> None:
    """In evaluation queries go through the head for answers, and answers through that for queries."""

    def change(old: Any, system: Any, *given: Any) -> Any:
        system.query_head, system.answer_head = system.answer_head, system.query_head
        try:
            return old(system, *given)
        finally:
            system.query_head, system.answer_head = system.answer_head, system.query_head

    wrapped(embed, "embed", change)


def a_tenth_of_the_rows() -> None:
    wrapped(batches, "endless", lambda old, count, *given: old(max(2, count // 10), *given))


def keyed_by_a_short_hash(keys: int = 512) -> None:
    """Texts whose hashes leave the same remainder have the vector of the first of them."""

    def encoded(encoder: Any, rows: Any, options: Any) -> torch.Tensor:
        vector_ND = old(encoder, rows, options)
        first: dict[int, int] = {}
        hashes = [zlib.crc32(np.array(row, dtype=np.int64).tobytes()) % keys for row in rows]
        return vector_ND[[first.setdefault(one, number) for number, one in enumerate(hashes)]]

    old = replace(vector_cache, "encoded", encoded)


def fault(
    name: str, sentence: str, code: Callable[[], None], source: str, settings: Mapping[str, Any] | None = None
) -> Fault:
    return Fault(name, "code", sentence, source, settings=settings or {}, code=code)


FAULTS = (
    fault(
        "answer-texts-one-off-in-training",
        "Training looks up the text of each answer one place too far: it draws queries to the article after the right "
        "one, while evaluation uses the right numbers. Correct the offset.",
        answer_texts_off_by_one,
        "Humbatova et al. 2020, taxonomy of real faults: indices of training data",
        LAST,
    ),
    fault(
        "adam-epsilon-of-one",
        "The epsilon of AdamW is 1 in place of 1e-8, far above any gradient here, so every update is thousands of "
        "times too small and the model stays as it was. Set epsilon to 1e-8.",
        epsilon_of_one,
        "DeepCrime: optimiser operators; reports on 1e8 typed for 1e-8",
    ),
    fault(
        "target-smoothed-to-nothing",
        "Label smoothing of 0.97 was typed for 0.03: the loss asks that all candidates score nearly alike, and takes "
        "apart what the encoder could tell. Lower it.",
        target_shared_out,
        "Szegedy et al. 2015, arXiv:1512.00567; DeepCrime: loss operators",
        LAST,
    ),
    fault(
        "moving-average-too-slow",
        "What is saved is a moving average of the weights with a decay of 0.9995, which after a few dozen steps is "
        "still the start: the training is real but lost. Lower the decay or save the weights themselves.",
        average_kept,
        "reports on EMA in short trainings",
    ),
    fault(
        "tokens-left-masked",
        "The collator for masked language modelling is still there: half of the tokens of every text are [MASK] when "
        "it is encoded, in training and evaluation. Encode the texts as they are.",
        tokens_masked,
        "transformers threads on DataCollatorForLanguageModeling",
    ),
    fault(
        "not-found-counts-as-first",
        "The metric takes the place of an answer from the first five results and 0 where it is not among them, and 0 "
        "means first: what was not found counts as found at once. Use a default beyond the last place.",
        not_found_is_first,
        "practitioners 12; reports on dict.get(…, 0) in metrics",
    ),
    fault(
        "query-and-answer-heads-exchanged",
        "There are two heads, and evaluation exchanges them: queries go through the one that was trained on answers "
        "and answers through the one for queries. Use each for its own side.",
        heads_exchanged,
        "practitioners 19: wrong model on one side; DPR threads",
        LAST | {"finetune_rank.encoders": "dual", "finetune_rank.head.kind": "residual",
                "finetune_rank.epochs": 20, "finetune_rank.learning_rate": 3.0e-3},
    ),
    fault(
        "debugging-subset-left-in",
        "A line for debugging is still there: batches are drawn from the first tenth of the training pairs, which are "
        "about few answers, and the others are never seen. Remove the line.",
        a_tenth_of_the_rows,
        "Humbatova et al. 2020, taxonomy of real faults: training data",
        LAST,
    ),
    fault(
        "vectors-cached-under-a-short-hash",
        "The cache of vectors has 512 keys for all texts, so many a text finds the vector of another one there, in "
        "training and evaluation. Use a key that no two texts share.",
        keyed_by_a_short_hash,
        "reports on caches of embeddings",
    ),
)  # fmt: skip
