"""Slips in the code that encodes, scores and measures, as patches of ours."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from benchmarks.faults.fault import Fault
from benchmarks.faults.patches import wrapped
from whyrank.measure.metrics import ranking as metrics
from whyrank.model import system as models
from whyrank.model.encoder import encoder as encoders
from whyrank.model.encoder import packed, pooling
from whyrank.scoring.search import embed, one_pass_topk

OPERATORS = "DeepCrime and DEFault++ operators"


def heads_not_loaded() -> None:
    """The head of a trained system is a fresh one with random weights."""

    def change(old: Any, *given: Any, **named: Any) -> Any:
        system = old(*given, **named)
        for parameter in system.heads().parameters():
            torch.nn.init.normal_(parameter, std=0.05)
        return system

    wrapped(models, "load", change)


def heads_skipped() -> None:
    """The head of a trained system is left out when it is scored."""

    def change(old: Any, system: Any, *given: Any) -> Any:
        bare = models.untrained(system.encoder)
        return old(bare, *given)

    wrapped(embed, "embed", change)


def dropout_in_evaluation() -> None:
    """Vectors are scored with a tenth of the features dropped."""

    def change(old: Any, *given: Any) -> Any:
        query_ND, answer_AD = old(*given)
        random = np.random.default_rng()
        return embed.Vectors(*(one * (random.random(one.shape) > 0.5) for one in (query_ND, answer_AD)))

    wrapped(embed, "embed", change)


def metric_off_by_one() -> None:
    wrapped(
        metrics, "per_query", lambda old, places, **named: old(replace(places, above_P=places.above_P + 1), **named)
    )


def scores_negated() -> None:
    """Distances are sorted as if they were similarities."""
    wrapped(embed.Product, "_queries", lambda old, self, row: -old(self, row))


def scores_of_other_queries() -> None:
    """Query vectors stand one row off."""

    def change(old: Any, *given: Any) -> Any:
        found = old(*given)
        return embed.Vectors(np.roll(found.query_ND, 1, axis=0), found.answer_AD)

    wrapped(embed, "embed", change)


def normalisation_dropped() -> None:
    """Vectors are compared by their dot products though the cosine was trained, after one was scaled."""

    def read(self: embed.Product, vector_ND: np.ndarray) -> torch.Tensor:
        length_N1 = np.exp(2 * vector_ND[:, :1] / np.abs(vector_ND[:, :1]).mean())
        return torch.from_numpy(np.array(vector_ND * length_N1, dtype=np.float32))

    wrapped(embed.Product, "_read", lambda old, *given: read(*given))


def scores_rounded() -> None:
    """In steps of a twelfth."""

    def of_tiles(old: Any, self: embed.Product, query_Q: np.ndarray) -> Any:
        for one in old(self, query_Q):
            yield one._replace(score_RB=np.round(one.score_RB * 12) / 12)

    wrapped(embed.Product, "tiles", of_tiles)
    wrapped(embed.Product, "pairs", lambda old, self, *given: np.round(old(self, *given) * 12) / 12)


def answers_of_the_corpus_permuted() -> None:
    """Answer vectors stand in another order than the ids."""

    def change(old: Any, *given: Any) -> Any:
        found = old(*given)
        return embed.Vectors(found.query_ND, np.roll(found.answer_AD, 3, axis=0))

    wrapped(embed, "embed", change)


def mask_ignored() -> None:
    """Padding is attended to as if it were text."""

    def group(old: Any, lengths: Any, device: Any) -> Any:
        one = old(lengths, device)
        if one.real_GL is None:
            return one
        return packed.Group(one.tokens, one.texts, one.longest, one.token_GL, torch.ones_like(one.real_GL), one.place_T)

    def pack(token_GLHF: torch.Tensor, one: Any) -> torch.Tensor:
        return token_GLHF.flatten(0, 1) if one.place_T is None else token_GLHF.flatten(0, 1)[one.place_T]

    wrapped(packed, "group", group)
    packed.pack = pack
    packed.LIKE_LENGTH = 0.0


def attention_causal() -> None:
    """A token attends to those before it alone."""

    def attend(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **options: Any) -> torch.Tensor:
        mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
        own = options.pop("attn_mask")
        options["attn_mask"] = mask if own is None else own & mask
        return functional.scaled_dot_product_attention(query, key, value, **options)

    packed.scaled_dot_product_attention = attend


def pooled_over_first_tokens() -> None:
    """The mean is over the first 4 tokens."""

    def pool(name: str, token_TH: torch.Tensor, layout: Any) -> torch.Tensor:
        ends = layout.starts + layout.length_B.clamp(max=4)
        return torch.stack([token_TH[a:b].mean(0) for a, b in zip(layout.starts.tolist(), ends.tolist(), strict=True)])

    pooling.pool = pool


def vectors_in_another_order() -> None:
    """What was sorted by length is not put back in order."""

    def forward(self: encoders.Encoder, rows: Any) -> torch.Tensor:
        own, layout, _ = self.laid_out(rows)
        return self.pool(self.tokens(own, layout), layout)

    encoders.Encoder.forward = forward  # type: ignore[method-assign]


def dropout_of_encoder_left_on() -> None:
    """A half of the pooled features is dropped whenever a text is encoded."""
    wrapped(
        encoders.Encoder, "pool", lambda old, self, *given: functional.dropout(old(self, *given), 0.5, training=True)
    )


def prompt_of_answers_on_queries() -> None:
    """Queries are cut to their first four tokens by a limit of the wrong kind."""
    wrapped(
        encoders.Encoder,
        "tokenise_each",
        lambda old, self, texts, limits, side=None: old(self, texts, [6] * len(texts), side),
    )


def part_of_the_corpus_scored() -> None:
    """Four of five answers that score higher are not among those that are looked at."""

    def change(old: Any, *given: Any) -> Any:
        found = old(*given)
        return found._replace(above_P=found.above_P // 5)

    wrapped(one_pass_topk, "find_in_tiles", change)


def fault(name: str, sentence: str, code: Callable[[], None], settings: Any = None, source: str = "") -> Fault:
    return Fault(name, "code", sentence, source or OPERATORS, settings=settings or {}, code=code)


FAULTS = (
    fault("heads-not-loaded", "the trained head is not loaded: a random one takes its place", heads_not_loaded, {},
          "practitioners 10"),
    fault("heads-skipped", "the trained head is left out in evaluation", heads_skipped, {}, "practitioners 10"),
    fault("dropout-in-evaluation", "dropout is on in evaluation", dropout_in_evaluation, {}, "practitioners 1"),
    fault("metric-off-by-one", "the rank in the metric is one too high", metric_off_by_one),
    fault("scores-negated", "the ranking is sorted the wrong way round", scores_negated),
    fault("scores-of-other-queries", "scores stand one query off", scores_of_other_queries),
    fault("answer-vectors-permuted", "answer vectors stand in another order than their ids",
          answers_of_the_corpus_permuted),
    fault("norms-decide", "vectors of very unequal length are compared by dot products", normalisation_dropped, {},
          "practitioners 19"),
    fault("scores-rounded", "scores have so few bits that many are equal", scores_rounded, {}, "practitioners 9"),
    fault("part-of-the-corpus-scored", "ranks are counted among a fifth of the corpus", part_of_the_corpus_scored),
    fault("mask-ignored", "padding is attended to: a vector depends on what else is in the batch", mask_ignored, {},
          "practitioners 1"),
    fault("attention-causal", "attention is causal in an encoder that was trained to see both sides", attention_causal),
    fault("pooled-over-first-tokens", "the mean is over the first four tokens", pooled_over_first_tokens),
    fault("vectors-in-another-order", "vectors come in the order of lengths, not of texts", vectors_in_another_order),
    fault("dropout-of-encoder-left-on", "dropout of the encoder is on whenever it encodes",
          dropout_of_encoder_left_on, {}, "practitioners 1"),
    fault("queries-cut-to-six-tokens", "queries are cut to six tokens by a wrong limit", prompt_of_answers_on_queries),
)  # fmt: skip
