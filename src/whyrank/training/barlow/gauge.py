"""What pretraining does to vectors, measured without a label."""

import numpy as np

from whyrank.batches import made_texts
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import geometry
from whyrank.model.system import System
from whyrank.training.engine.vectors import Vectors


class Gauge:
    """Agreement of spans that no batch has with their answers, and effective rank of the answers: only together.

    view_agreement   mean cosine of a span and its answer, less that with another answer, batch means subtracted
    answer_rank      effective rank of the vectors of those answers
    answer_cosine    mean cosine of two of those answers, before any read-out: what all of them share
    Agreement alone rises, too, where features are given up: the rank falls then.
    """

    def __init__(self, prepared: Prepared, vectors: Vectors, system: System) -> None:
        held_out = (prepared.view_texts["view"] == made_texts.HELD_OUT).to_numpy()
        self.span_B = prepared.texts.of("view")[held_out]
        self.answer_B = prepared.view_texts.loc[held_out, "of"].to_numpy(dtype=np.int64, copy=True)
        self.vectors, self.system = vectors, system

    def __call__(self) -> dict[str, float]:
        if len(self.span_B) < 2:
            return {}
        sides = [self.vectors.inference(index_B) for index_B in (self.span_B, self.answer_B)]
        span_BD, answer_BD = (side_BD.cpu().numpy() for side_BD in self.system.project(*sides))
        before_BD = self.system.before_readout("answer", sides[1]).cpu().numpy()
        one_BD, two_BD = (geometry.unit_rows(side_BD - side_BD.mean(0)) for side_BD in (span_BD, answer_BD))
        agreement = (one_BD * two_BD).sum(1) - (one_BD * np.roll(two_BD, 1, axis=0)).sum(1)
        return {
            "view_agreement": float(agreement.mean()),
            "answer_rank": geometry.effective_rank(answer_BD),
            "answer_cosine": geometry.mean_off_pair_cosine(before_BD),
        }
