"""Bugs of the code that makes vectors of texts and scores of vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..fault import Fault
from ..patching import replace


def positions_run_on() -> None:
    from whyrank.model.encoder.encoder import Encoder

    def wrong(self: Encoder, rows: Sequence[Any], layout: Any, **asked: bool) -> Any:
        place_T = torch.arange(sum(layout.lengths), device=self.device) % min(self.longest, 512)
        layout.positions = lambda first: first + place_T
        return right(self, rows, layout, **asked)

    right = replace(Encoder, "run_packed", wrong)


def padding_attended() -> None:
    from whyrank.model.encoder import packed

    def wrong(*tensors: torch.Tensor, attn_mask: torch.Tensor | None = None, **options: Any) -> torch.Tensor:
        return attention(*tensors, **options)

    attention = replace(packed, "scaled_dot_product_attention", wrong)
    # One group a batch, as with ordinary padding.
    packed.LIKE_LENGTH = 0.0


def order_not_restored() -> None:
    from whyrank.training.engine import vectors

    def wrong(parts: Sequence[torch.Tensor], groups: Sequence[Sequence[int]]) -> torch.Tensor:
        return torch.cat(list(parts))

    replace(vectors, "in_order", wrong)


def dropout_left_on() -> None:
    from whyrank.model.encoder import vector_cache
    from whyrank.model.encoder.encoder import Encoder

    def wrong(self: Encoder, *args: Any, **rest: Any) -> np.ndarray:
        own_eval = Encoder.eval
        Encoder.eval = lambda encoder: encoder.train()
        try:
            return encode(self, *args, **rest)
        finally:
            Encoder.eval = own_eval

    encode = replace(Encoder, "encode", wrong)
    # What a training leaves for the evaluation was encoded otherwise.
    replace(vector_cache, "remember", lambda *given, **named: None)


def tokens_of_others_pooled() -> None:
    from whyrank.model.encoder import pooling

    def wrong(token_TD: torch.Tensor, layout: Any) -> torch.Tensor:
        # As a view in place of a transpose does: every second token is one from the other end of the batch.
        is_own_T = torch.arange(len(token_TD), device=token_TD.device) % 2 == 0
        return mean(torch.where(is_own_T[:, None], token_TD, token_TD.flip(0)), layout)

    mean = replace(pooling, "mean", wrong)
    pooling.POOLINGS["mean"] = wrong


def dot_product_in_evaluation() -> None:
    from whyrank.scoring.search.embed import Product

    def wrong(self: Product, vectors: Any, kind: str) -> None:
        start(self, vectors, "dot")

    start = replace(Product, "__init__", wrong)


def base_evaluated() -> None:
    from whyrank.model import system

    def wrong(folder: str | Path, **options: Any) -> Any:
        folder = Path(folder)
        base = folder.with_name(folder.name.removesuffix("-tuned"))
        return load(base if base.exists() else folder, **options)

    load = replace(system, "load", wrong)


def answers_one_row_off() -> None:
    from whyrank.scoring.search import embed

    def wrong(*args: Any, **rest: Any) -> Any:
        found = right(*args, **rest)
        answer_AD = found.answer_AD.copy()
        # A damaged row was dropped while the index was filled, and the ids were not.
        third = len(answer_AD) // 3
        answer_AD[third:-1] = found.answer_AD[third + 1 :]
        return found._replace(answer_AD=answer_AD)

    right = replace(embed, "embed", wrong)


def saturated_index() -> None:
    from whyrank.scoring.search import embed

    def wrong(*args: Any, **rest: Any) -> Any:
        found = right(*args, **rest)
        return embed.Vectors(*(to_few_levels(vector_ND) for vector_ND in found))

    def to_few_levels(vector_ND: np.ndarray) -> np.ndarray:
        # int8 by ranges that were calibrated on vectors of length 1, and these are longer.
        step = 1.0 / 127
        return (np.clip(np.round(vector_ND / step), -128, 127) * step).astype(np.float32)

    right = replace(embed, "embed", wrong)


FAULTS = (
    Fault(
        name="positions-run-on-across-texts",
        about="code",
        sentence="Texts are packed end to end and their positions are not counted anew for each: a text's vector "
        "depends on the texts before it in the batch. Reset the positions at each text.",
        source="nanoVLM#201, OLMo-core#591, alex-hh/profam#495",
        code=positions_run_on,
    ),
    Fault(
        name="padding-is-attended-to",
        about="code",
        sentence="Attention has no mask, so texts attend to the padding behind them and their vectors depend on the "
        "longest text of the batch. Pass the attention mask.",
        source="ST#2569, transformers#17463, CoursIA#15045",
        code=padding_attended,
    ),
    Fault(
        name="length-order-not-undone",
        about="code",
        sentence="Texts are sorted by length for encoding and their vectors are not put back in order: in training "
        "and dev evaluation each text gets another one's vector. Undo the sort.",
        source="ST#663, ST#584; rocketride-server#2197, mead-baseline#677",
        code=order_not_restored,
    ),
    Fault(
        name="dropout-while-encoding",
        about="code",
        sentence="The encoder is in training mode when texts are encoded: dropout makes every vector partly random, "
        "and the same text never gets the same one. Call eval() before encoding.",
        source="transformers#33844, ST#3208",
        code=dropout_left_on,
    ),
    Fault(
        name="mean-over-the-wrong-tokens",
        about="code",
        sentence="The mean over tokens takes every second token from other texts of the batch, by a mistake in the "
        "layout. Pool the tokens of the text itself.",
        source="practice of flattened batches: a view in place of a transpose (NeuraLint, arXiv:2105.08095, "
        "reshape rules)",
        code=tokens_of_others_pooled,
    ),
    Fault(
        name="evaluated-by-dot-product",
        about="code",
        sentence="Evaluation compares vectors by the dot product, and the model was trained with the cosine: long "
        "vectors win whatever the query. Normalise the vectors in evaluation, too.",
        source="FE#283, AnglE#68; FE#406",
        code=dot_product_in_evaluation,
    ),
    Fault(
        name="pretrained-weights-evaluated",
        about="code",
        sentence="Evaluation loads the pretrained encoder in place of the tuned one: the figures of both are the "
        "same. Load the checkpoint that training wrote.",
        source="uni2ts#13, NVIDIA/DeepLearningExamples#1154, peft#793",
        code=base_evaluated,
    ),
    Fault(
        name="index-one-row-off",
        about="code",
        sentence="The index of answer vectors lost a row and the list of ids did not: from a third of the corpus on, "
        "each id stands for the next answer's vector in evaluation. Build the index again with its ids.",
        source="faiss and vector-store ids kept apart (IndexFlat without IndexIDMap); js-genai#1207",
        code=answers_one_row_off,
    ),
    Fault(
        name="vectors-saturate-in-int8",
        about="code",
        sentence="Evaluation stores vectors as int8 with a range calibrated for unit vectors, and these are longer: "
        "most values are clipped to the ends. Normalise before quantising, or calibrate the range.",
        source="ST quantize_embeddings (ranges and calibration); ST 5.7 int8 change, Xenova fastembed#554",
        code=saturated_index,
    ),
)
