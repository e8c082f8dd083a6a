"""Vectors and runs of another tool rank as ours do; what is wrong with them is one line with file and id."""

import numpy as np
import pandas as pd
import pytest

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder, Evaluate
from whyrank.core.options.systems import System
from whyrank.scoring.ranking.score import trec
from whyrank.scoring.systems import score
from whyrank.scoring.tasks import Tasks

ENCODER = Encoder("folder", "auto", "fp32", 0.0, batch_tokens=2048, trust_remote_code=False, keep_layers=0)


@pytest.fixture
def tasks(topics):
    return Tasks(topics, Evaluate([1, 3], [3], [3], "", keep=6, pair_tokens=16), ENCODER, seed=0)


@pytest.fixture
def arrays(topics):
    random = np.random.default_rng(5)
    answer_AD = random.standard_normal((len(topics.answers), 8)).astype(np.float32)
    noise_ND = random.standard_normal((len(topics.queries), 8)).astype(np.float32)
    return {"query": answer_AD[topics.relevant["answer"]] + noise_ND, "answer": answer_AD}


@pytest.fixture
def saved(topics, arrays, tmp_path):
    """Write the vectors, in another order and with a row that nobody wants; `spoil` changes ids or rows before."""

    def save(as_="npy", dtype=np.float32, spoil=None):
        ids = {"query": topics.queries["query_id"].tolist(), "answer": topics.answers["answer_id"].tolist()}
        rows = {what: rows.astype(dtype) for what, rows in arrays.items()}
        if spoil:
            spoil(ids, rows)
        for what in ids:
            order = np.random.default_rng(1).permutation(len(ids[what]))
            names = [*(ids[what][i] for i in order), "nobody's"]
            vectors = np.concatenate([rows[what][order], rows[what][:1]])
            if as_ == "npy":
                np.save(tmp_path / f"{what}_vectors.npy", vectors)
                (tmp_path / f"{what}_ids.txt").write_text("\n".join(names))
            elif as_ == "lists":
                table = pd.DataFrame({"id": names, "vector": list(vectors)})
                table.to_parquet(tmp_path / f"{what}_vectors.parquet")
            else:
                table = pd.DataFrame(vectors, columns=[f"f{i}" for i in range(vectors.shape[1])]).assign(id=names)
                table.to_parquet(tmp_path / f"{what}_vectors.parquet")
        return System("vectors", "zero-shot", str(tmp_path))

    return save


@pytest.mark.parametrize(
    ("as_", "dtype"), [("npy", np.float32), ("npy", np.float16), ("lists", "f4"), ("features", "f8")]
)
def test_foreign_vectors_in_any_order_rank_by_their_cosine(tasks, arrays, saved, as_, dtype):
    scored = score(saved(as_, dtype), tasks)
    unit = {what: rows / np.linalg.norm(rows, axis=1, keepdims=True) for what, rows in arrays.items()}
    score_QA = unit["query"][tasks.texts.rows("test")] @ unit["answer"].T
    first = scored.run.top[scored.run.top["rank"] == 1]
    expected = tasks.texts.answers["answer_id"].to_numpy()[score_QA.argmax(axis=1)]
    assert (first["answer_id"].to_numpy() == expected).mean() >= (1 if dtype != np.float16 else 0.9)
    np.testing.assert_allclose(first["score"], score_QA.max(axis=1), atol=2e-3)
    assert scored.vectors is not None and scored.metrics["features"] == 8
    assert set(scored.others.queries["split"]) == {"dev", "train"}


def test_a_dot_product_follows_the_lengths(tasks, arrays, saved):
    system = saved()
    found = score(System("vectors", "zero-shot", system.made_of, similarity="dot"), tasks)
    score_QA = arrays["query"][tasks.texts.rows("test")] @ arrays["answer"].T
    first = found.run.top[found.run.top["rank"] == 1]
    np.testing.assert_allclose(first["score"], score_QA.max(axis=1), rtol=1e-5)
    assert found.metrics["score_kind_cosine"] == 0


def _drop(ids, rows):
    ids["query"][3] = "other"


def _twice(ids, rows):
    ids["answer"][1] = ids["answer"][0]


def _nan(ids, rows):
    rows["answer"][2, 1] = np.nan


def _narrow(ids, rows):
    rows["answer"] = rows["answer"][:, :5]


def _whole(ids, rows):
    rows["query"] = rows["query"].astype(np.int8)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_drop, r"query_ids\.txt: no row for query id 'q-.*'; add each query of data/prepared"),
        (_twice, r"answer_ids\.txt: answer id 'a-.*' stands there twice; keep one row of each id$"),
        (_nan, r"answer_ids\.txt: the vector of answer id 'a-.*' is not finite; encode it anew$"),
        (_narrow, r": vectors of queries have 8 features and those of answers 5$"),
        (_whole, r"query_ids\.txt: vectors are int8; save them as float16, float32 or float64$"),
    ],
)
def test_what_is_wrong_with_vectors_is_one_line_with_file_and_id(tasks, saved, spoil, message):
    with pytest.raises(UserError, match=message) as raised:
        score(saved(spoil=spoil), tasks)
    assert len(raised.value.args) == 1


def test_a_folder_without_vectors_and_a_torn_file_are_named(tasks, saved, tmp_path):
    with pytest.raises(
        UserError, match=r"has neither query_vectors\.parquet nor query_vectors\.npy with query_ids\.txt"
    ):
        score(System("vectors", "zero-shot", str(tmp_path)), tasks)
    system = saved()
    (tmp_path / "query_vectors.npy").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"query_vectors\.npy is no NumPy array"):
        score(system, tasks)


def test_features_of_queries_and_answers_are_the_same_by_their_names(tasks, saved, tmp_path):
    system = saved("features")
    expected = score(system, tasks).metrics
    file = tmp_path / "answer_vectors.parquet"
    table = pd.read_parquet(file)
    table[table.columns[::-1]].to_parquet(file)
    assert score(system, tasks).metrics == expected
    table.rename(columns={"f3": "g3"}).to_parquet(file)
    with pytest.raises(UserError, match=r": answers have no feature 'f3', which queries have; name both alike$"):
        score(system, tasks)


def test_columns_that_may_lack_a_number_are_features(tasks, saved, tmp_path):
    system = saved("features")
    expected = score(system, tasks).metrics
    file = tmp_path / "answer_vectors.parquet"
    table = pd.read_parquet(file).convert_dtypes()
    assert table["f0"].dtype == "Float32"
    table.to_parquet(file)
    assert score(system, tasks).metrics == expected
    table.loc[0, "f0"] = pd.NA
    table.to_parquet(file)
    with pytest.raises(UserError, match=r"the vector of answer id 'a-.*' is not finite"):
        score(system, tasks)


def test_ids_begin_with_a_mark_or_none_and_lines_end_in_any_way(tasks, saved, tmp_path):
    system = saved()
    expected = score(system, tasks).metrics
    for what in ("query", "answer"):
        file = tmp_path / f"{what}_ids.txt"
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert score(system, tasks).metrics == expected
    (tmp_path / "answer_ids.txt").write_bytes(b"caf\xe9\n")
    with pytest.raises(UserError, match=r"answer_ids\.txt cannot be read .*; name a text file in UTF-8$"):
        score(system, tasks)


def test_an_archive_of_arrays_is_no_array(tasks, saved, tmp_path):
    system = saved()
    with (tmp_path / "answer_vectors.npy").open("wb") as file:
        np.savez(file, vectors=np.zeros((7, 8), np.float32))
    with pytest.raises(UserError, match=r"answer_vectors\.npy is an archive of arrays; save one with numpy\.save$"):
        score(system, tasks)


def test_a_run_may_begin_with_a_mark_and_is_utf_8(tasks, tmp_path):
    query, answer = tasks.texts.queries["query_id"][tasks.texts.rows("test")[0]], tasks.texts.answers["answer_id"][0]
    file = tmp_path / "run.trec"
    file.write_text(f"{query} Q0 {answer} 1 3.5 theirs\r\n", encoding="utf-8-sig")
    assert query not in score(System("run", "rival", str(file)), tasks).how["missing_queries"]
    file.write_bytes(f"{query} Q0 {answer} 1 3.5 caf\xe9\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"run\.trec cannot be read .*; name a text file in UTF-8$"):
        score(System("run", "rival", str(file)), tasks)
    with pytest.raises(UserError, match=r"gone\.parquet does not exist; name a file that is there$"):
        score(System("run", "rival", str(tmp_path / "gone.parquet")), tasks)


@pytest.mark.parametrize("suffix", [".trec", ".parquet"])
def test_a_run_of_ours_read_as_a_foreign_one_has_the_same_figures(tasks, saved, tmp_path, suffix):
    own = score(saved(), tasks)
    file = tmp_path / f"theirs{suffix}"
    if suffix == ".trec":
        file.write_text(trec(own.run.top, "theirs"))
    else:
        own.run.top.to_parquet(file)
    found = score(System("run", "rival", str(file)), tasks)
    for metric in ("accuracy@1", "mrr", "ndcg@3"):
        assert found.metrics[f"{metric}_all"] == pytest.approx(own.metrics[f"{metric}_all"], abs=1e-4)
    assert found.how["missing_queries"] == [] and found.others.queries.empty


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e12, -1e-9, -1e12])
def test_scores_of_any_size_rank_alike_and_above_what_is_not_listed(tasks, tmp_path, size):
    texts = tasks.texts
    query_ids, (first, second, third) = texts.queries["query_id"], texts.answers["answer_id"].iloc[[4, 2, 0]]
    scores = {first: 3, second: 2, third: 1} if size > 0 else {first: 1, second: 2, third: 3}
    rows = [f"{query} Q0 {answer} 0 {score * size} x\n" for query in query_ids for answer, score in scores.items()]
    (tmp_path / "any.trec").write_text("".join(rows))
    run = score(System("run", "rival", str(tmp_path / "any.trec")), tasks).run
    assert run.top.groupby("query_id")["answer_id"].agg(list).map(lambda found: found[:3]).tolist() == [
        [first, second, third]
    ] * len(run.queries)
    last = run.queries["above"] > 2
    assert (run.queries.loc[last, "tied"] == len(texts.answers) - 3).all() and last.any()
    assert (run.queries.loc[~last, "tied"] == 1).all() and not last.all()


def test_a_query_without_rows_is_said_and_counts_as_chance(tasks, tmp_path):
    query, answer = tasks.texts.queries["query_id"][tasks.texts.rows("test")[0]], tasks.texts.answers["answer_id"][0]
    (tmp_path / "one.trec").write_text(f"{query} Q0 {answer} 1 3.5 theirs\n")
    found = score(System("run", "rival", str(tmp_path / "one.trec")), tasks)
    n = len(found.run.queries)
    assert len(found.how["missing_queries"]) == n - 1 and found.how["missing_query_share"] == pytest.approx((n - 1) / n)
    assert found.run.queries["accuracy@1"].iloc[1:].tolist() == pytest.approx([1 / 6] * (n - 1))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{q} Q0 {a} 1 3.5\n", r"line 1: 5 columns; a run has query Q0 answer rank score name$"),
        ("\n{q} Q0 {a} 1 much theirs\n", r"line 2: the score is 'much'; it takes a number$"),
        ("{q} Q0 {a} 1 nan theirs\n", r"line 1: the score is 'nan'; it takes a number$"),
        ("{q} Q0 {a} 1 inf theirs\n", r"the score of query 'q-.*' and answer 'a-.*' is not finite$"),
        ("{q} Q0 gone 1 3 theirs\n", r"answer id 'gone' is not in the corpus; leave it out$"),
        ("{q} Q0 {a} 1 3 theirs\n{q} Q0 {a} 2 1 theirs\n", r"lists query and answer 'q-.*' and 'a-.*' twice; keep one"),
        ("x Q0 {a} 1 3 theirs\n", r"lists no query of data/prepared; its first is 'x'$"),
        ("", r"has no row$"),
    ],
)
def test_what_is_wrong_with_a_run_is_one_line(tasks, tmp_path, text, message):
    query, answer = tasks.texts.queries["query_id"][tasks.texts.rows("test")[0]], tasks.texts.answers["answer_id"][0]
    (tmp_path / "run.trec").write_text(text.format(q=query, a=answer))
    with pytest.raises(UserError, match=message):
        score(System("run", "rival", str(tmp_path / "run.trec")), tasks)
