"""What pretraining does to vectors, without a label: agreement of held-out spans, rank, and what all answers share."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.batches import made_texts
from whyrank.model import system
from whyrank.model.heads.readout import fitted
from whyrank.training.barlow.gauge import Gauge
from whyrank.training.engine.vectors import FrozenVectors

ANSWERS, WIDTH = 6, 32


@pytest.fixture
def gauge(topics, make_encoder):
    """Of one held-out span of each answer, with vectors of our own; one more span is of a batch."""

    def build(span_AD, answer_AD, readout=None):
        use = [made_texts.HELD_OUT] * ANSWERS + ["span"]
        views = pd.DataFrame({"view": use, "of": [*range(ANSWERS), 0], "text": "x", "input_ids": [[0, 1]] * 7})
        prepared = replace(topics, view_texts=views)
        vector_ND = np.zeros((prepared.texts.of("view")[-1] + 1, WIDTH), dtype=np.float32)
        vector_ND[:ANSWERS] = answer_AD
        vector_ND[prepared.texts.of("view")] = [*span_AD, np.full(WIDTH, 1e3)]
        model = system.System(make_encoder(), nn.Sequential(), nn.Sequential(), "cosine", readout=readout)
        return Gauge(prepared, FrozenVectors(vector_ND, torch.device("cpu")), model)()

    return build


def test_spans_that_lie_on_their_answers_agree_by_their_cosine_less_that_with_another(gauge):
    # Six orthogonal answers less their mean have cosine -1/5 with each other.
    eye = np.eye(ANSWERS, WIDTH)
    found = gauge(eye, eye)
    assert found["view_agreement"] == pytest.approx(1 + 1 / 5, abs=1e-6)
    assert found["answer_cosine"] == pytest.approx(0, abs=1e-6)
    assert gauge(np.roll(eye, 3, axis=0), eye)["view_agreement"] == pytest.approx(0, abs=1e-6)


def test_what_all_answers_share_is_told_before_the_read_out_takes_it_off(gauge):
    shared = np.eye(ANSWERS, WIDTH) + np.eye(1, WIDTH, k=WIDTH - 1)
    readout = fitted("centred", torch.tensor(shared, dtype=torch.float32))
    # Two answers: cosine 1 / 2, of lengths sqrt 2.
    for each in (gauge(shared, shared), gauge(shared, shared, readout)):
        assert each["answer_cosine"] == pytest.approx(0.5, abs=1e-6)
