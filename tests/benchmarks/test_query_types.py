"""What raises the weaker query type: texts, vectors and losses of the arms, and the table."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import by_type, query_types, query_types_table
from whyrank.batches.ranking import RankBatch
from whyrank.core.prepared import Prepared
from whyrank.training.engine.objective import Step
from whyrank.training.ranking.losses import ranking_cross_entropy


def test_of_a_conversation_are_left_the_turns_and_the_questions_of_the_one_who_began():
    text = "user: My lamp hums. Is it broken?\nagent: Which one is it?\nuser: The small one. Can you fix it?"
    assert query_types.asker(text) == "My lamp hums. Is it broken?\nThe small one. Can you fix it?"
    assert query_types.questions_of(text) == "Is it broken? Can you fix it?"
    assert query_types.asker("No names. Is it?") == "No names. Is it?"
    assert query_types.questions_of("user: it hums\nagent: Why?") == "it hums"


@pytest.fixture
def prepared():
    """Two answers; four training queries of two threads, then one conversation of dev."""
    answers = pd.DataFrame({"answer_id": ["a", "b"], "raw_text": ["a", "b"]})
    queries = pd.DataFrame(
        {
            "query_id": list("vwxyz"),
            "type": ["question", "conversation", "question", "conversation", "conversation"],
            "split": ["train"] * 4 + ["dev"],
            "thread": [0, 0, 1, 2, -1],
        }
    )
    qrels = pd.DataFrame({"query_id": list("vwxyz"), "answer_id": list("aabba"), "score": 1.0})
    return Prepared(answers, queries, qrels)


def test_a_query_is_taught_by_one_of_the_other_type_in_its_thread(prepared):
    is_weak_Q = (prepared.queries["type"] == "question").to_numpy()
    assert query_types.partners(prepared, is_weak_Q).tolist() == [1, -1, -1, -1, -1]


def test_moved_into_one_region_both_types_have_the_mean_of_all_training_queries(prepared):
    vector_ND = torch.nn.functional.normalize(torch.randn(7, 4, generator=torch.Generator().manual_seed(1)), dim=1)
    moved_ND = query_types.one_region(prepared, vector_ND)
    middle_D = vector_ND[2:6].mean(0)
    torch.testing.assert_close(moved_ND[[2, 4]].mean(0), middle_D)
    torch.testing.assert_close(moved_ND[[3, 5]].mean(0), middle_D)
    torch.testing.assert_close(moved_ND[:2], vector_ND[:2])


def test_a_round_has_each_query_as_often_as_asked(prepared):
    options = SimpleNamespace(batch_size=7, candidates="batch", same_answer="masked")
    batches = by_type.Batches(np.array([3, 1, 2, 1, 1]), prepared, options, np.random.default_rng(1))
    assert np.bincount(next(batches).query_B).tolist() == [3, 1, 2, 1]


class Objective:
    """What the terms ask of one: scale 1, and a batch of a question and a conversation."""

    log_scale = torch.zeros(())
    query_text_Q = np.array([0, 1])
    batches = type("Batches", (), {})()
    batches.last = RankBatch(*[np.array([0, 1])] * 3, *[np.zeros((2, 2), bool)] * 2, 2, np.array([0, 1]))

    def __init__(self, vector_ND):
        self.encoded, self.system = vector_ND.__getitem__, self

    def project(self, query_ND, answer_MD):
        return query_ND, answer_MD


def test_weighing_adds_the_loss_of_the_weaker_type_alone():
    query_BD, answer_CD = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    step = Step(torch.zeros(()), {}, sides=(query_BD, answer_CD))
    alone = ranking_cross_entropy((query_BD @ answer_CD.T)[:1], torch.tensor([0]), torch.zeros(1, 2, dtype=torch.bool))
    found = by_type.weighted(3.0, np.array([True, False]), Objective(query_BD), step)
    torch.testing.assert_close(found, 3 * alone / 2)
    assert by_type.weighted(3.0, np.array([False, False]), Objective(query_BD), step) == 0


@pytest.mark.parametrize("of", ["vectors", "scores"])
def test_distillation_is_0_where_a_query_is_its_teacher_already(of):
    answer_CD, partner_Q = torch.tensor([[0.0, 1.0], [1.0, 0.0]]), np.array([1, -1])
    for apart in (False, True):
        query_BD = torch.tensor([[1.0, 0.0] if apart else [0.0, 1.0], [0.0, 1.0]])
        step = Step(torch.zeros(()), {}, sides=(query_BD, answer_CD))
        found = by_type.distilled(1.0, of, partner_Q, Objective(query_BD), step)
        assert (found > 0.1) if apart else abs(found) < 1e-6


def test_the_table_tells_the_gain_of_each_type_and_of_the_gap(tmp_path):
    types = ["question"] * 60 + ["conversation"] * 20
    queries = pd.DataFrame({"query_id": [f"q{i}" for i in range(80)], "type": types, "cluster": range(80)})
    is_weak = queries["type"] == "question"
    gained = {"control": 0.0, "better": np.where(is_weak, 1.0, 0.25)}
    rows = [
        queries.assign(**{"accuracy@1": value, "mrr": value}, seed=1, arm=arm, weaker="question")
        for arm, value in gained.items()
    ]
    pd.concat(rows).to_csv(tmp_path / "types.sample.mean.1.csv", index=False)
    head, _, control, gains = query_types_table.table(tmp_path, "mrr").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (head, control, gains)]
    assert cells[0] == ["mrr", "sample, mean: weaker (questions)", "sample, mean: stronger (conversations)", "gap"]
    assert cells[1] == ["control", "0.0", "0.0", "0.0"]
    assert cells[2][:3] == ["better", "+100.0 [+100.0, +100.0] *", "+25.0 [+25.0, +25.0] *"]
    assert cells[2][3].startswith("+75.0 [")
