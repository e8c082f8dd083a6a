"""Runs of two made-up encoders, as the stage `evaluate` leaves them for rivals."""

import numpy as np
import pytest

from whyrank.core import checksums, io
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.scoring.search.tiles import TIE
from whyrank.scoring.tasks import KEPT, Scored, Tasks

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)
EVALUATE = Evaluate([1, 3], [3], [3], "", keep=4, pair_tokens=16)


@pytest.fixture
def tasks(topics):
    """6 answers; 8 training queries, 3 dev and 3 test queries of each."""
    return Tasks(topics, EVALUATE, ENCODER, seed=0)


@pytest.fixture
def make_vectors(topics):
    """Vectors of all queries and answers in which a query lies near the centre of its answer's queries.

    noise   of the queries;  apart   whether the vectors of answers say nothing
    """

    def make(noise, *, apart=False):
        random = np.random.default_rng(7)
        centre_AD = random.standard_normal((len(topics.answers), 8)).astype(np.float32)
        answer_N = topics.relevant["answer"].to_numpy()
        query_ND = centre_AD[answer_N] + noise * random.standard_normal((len(answer_N), 8)).astype(np.float32)
        return query_ND, random.standard_normal(centre_AD.shape).astype(np.float32) if apart else centre_AD

    return make


@pytest.fixture
def leave(tasks, tmp_path, monkeypatch):
    """Write the run of an encoder with these vectors into a new working folder."""
    monkeypatch.chdir(tmp_path)

    def write(name, query_ND, answer_AD):
        def score(query_Q):
            unit = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (query_ND[query_Q], answer_AD)]
            return (unit[0] @ unit[1].T).astype(np.float32)

        with checksums.summed_folder(f"data/runs/{name}") as folder:
            io.write_array(folder / "query_vectors.npy", query_ND)
            io.write_array(folder / "answer_vectors.npy", answer_AD)
        scored = Scored(tasks.rank(score), others=tasks.rank_others(score))
        with checksums.summed_folder(f"data/scores/encoder/{name}") as folder:
            io.write_table(folder / KEPT, scored.kept(tasks.texts))
        return score

    assert TIE < 1e-5  # scores are kept in steps of it
    return write
