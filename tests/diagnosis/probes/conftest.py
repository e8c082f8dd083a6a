"""A healthy experiment in numbers, and the means to spoil it as a real fault would.

40 answers, 400 queries (half questions, half conversations; 5 of an answer train, 2 dev, 3 test). Each encoder's vector
of a query is its answer's direction plus noise; ranks, metrics and geometry are computed from the vectors, so that a
planted fault carries all its consequences.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.data.pairs.statistics import label_table
from whyrank.diagnosis import examination
from whyrank.diagnosis.compare.pairs import compare_similarity
from whyrank.diagnosis.compare.ranking import comparisons
from whyrank.diagnosis.compare.ratings import compare_ratings
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.ranking import chance, own_records, representation, scores
from whyrank.diagnosis.registry import examine
from whyrank.findings import probe
from whyrank.findings.finding import Finding
from whyrank.findings.records import DataRecords, Records, RunRecord, TrainingRecord
from whyrank.measure.metrics import geometry, locating, ranking, separation
from whyrank.preflight.figures import label_agreement
from whyrank.preflight.probes import labels

from ...shipped import PARAMS, SHIPPED
from .rated import rating_tables

ANSWERS, PER_ANSWER, FEATURES = 40, 10, 64
SPLITS = ["train"] * 5 + ["dev"] * 2 + ["test"] * 3
SYSTEMS = {"base": 0.40, "barlow": 0.395, "base-tuned": 0.30, "barlow-tuned": 0.298}  # noise per feature
FLOORS = {"tfidf": 0.48, "bm25": 0.46}
# Noise of the cosines of pairs, in the unit of their labels.
PAIR_NOISE = {"tfidf": 0.6, "base": 0.30, "barlow": 0.298, "base-tuned": 0.28, "barlow-tuned": 0.279}
STEPS, EVERY = 400, 20


def judged_pairs() -> pd.DataFrame:
    """600 training pairs of three classes, and 300 test pairs with scores; cosines as labels have them, and noise.

    Contradictions share as many words as neutral pairs.
    """
    random = np.random.default_rng(1)
    label_N = np.repeat([1.0, 0.5, 0.0], 200)
    classes = pd.DataFrame({"source": "nli", "use": "train", "label": label_N})
    classes["class_name"] = classes["stratum"] = np.repeat(["entailment", "neutral", "contradiction"], 200)
    classes["tfidf"] = 0.2 + 0.2 * (label_N == 1) + 0.2 * random.standard_normal(600)
    classes["encoder"] = 0.3 + 0.3 * label_N + 0.3 * classes["tfidf"] + 0.15 * random.standard_normal(600)
    scores = pd.DataFrame({"source": "sts", "use": "test", "class_name": "", "label": random.random(300)})
    scores["stratum"] = (scores["label"] * 5).astype(int).astype(str)
    scores["encoder"] = scores["label"] + 0.2 * random.standard_normal(300)
    scores["tfidf"] = scores["label"] + 0.4 * random.standard_normal(300)
    return pd.concat([classes, scores], ignore_index=True)


def pair_tables(judged: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """What `prepare` records of judged pairs."""
    counts = judged.groupby(["source", "use"], sort=False).size().rename("kept").reset_index()
    counts.loc[len(counts)] = ["sts_dev", "dev", 200]
    return {"pair_counts": counts, "pair_labels": label_table(judged), **label_agreement.tables(judged, 0)}


def pair_batch_table() -> pd.DataFrame:
    columns = {"rows": 32, "distinct_labels": 3, "positives": 11}
    return pd.DataFrame([columns | {"positive_from": 0.9}] * 20)


def tokenizer_table() -> pd.DataFrame:
    """An encoder without capitals, whose tokenizer makes them small."""
    row = {"texts": 50, "pieces": 500, "unknown": 0.001, "pieces_per_word": 1.2, "cased": 0.1}
    row |= {"vocabulary": 30522, "embeddings": 30522, "lower_cases": 1, "cased_vocabulary": 0.0}
    return pd.DataFrame([{"kind": kind} | row for kind in ("conversation", "question", "answer", "pair")])


def sanity_table() -> pd.DataFrame:
    """A small training learnt what it saw, gained a little on dev, and nothing from shuffled labels."""
    after = {("by_heart", "train"): 1.0, ("labels", "train"): 1.0, ("labels", "dev"): 0.62}
    after |= {("shuffled", "train"): 1.0, ("shuffled", "dev"): 0.5}
    names = ["training", "part", "query_id", "answer_id", "before", "after"]
    rows = [(*key, f"q{i}", f"a{i % 40}", 0.6, value) for key, value in after.items() for i in range(60)]
    return pd.DataFrame(rows, columns=names).assign(is_shared=lambda table: table["part"] == "train")


class Lab:
    """The healthy experiment: prepared data, directions of the answers, and the noise of each query."""

    def __init__(self) -> None:
        random = np.random.default_rng(0)
        self.answer_AD = geometry.unit_rows(random.standard_normal((ANSWERS, FEATURES)))
        self.noise_ND = random.standard_normal((ANSWERS * PER_ANSWER, FEATURES))
        self.data = self._data(random)
        self.own_N = np.repeat(np.arange(ANSWERS), PER_ANSWER)
        self.is_question_N = (self.data.queries["type"] == "question").to_numpy()

    @staticmethod
    def _data(random: np.random.Generator) -> DataRecords:
        answers = pd.DataFrame({"answer_id": [f"a{i:02d}" for i in range(ANSWERS)]})
        answers["raw_text"] = answers["text"] = [f"what to do in case {i} " + "step " * 80 for i in range(ANSWERS)]
        answers["tokens_raw"] = answers["tokens"] = 90
        n = ANSWERS * PER_ANSWER
        kinds = ["question", "conversation"] * (n // 2)
        lengths = np.where(np.array(kinds) == "question", random.integers(5, 15, n), random.integers(40, 90, n))
        texts = [f"case {i // PER_ANSWER} said {i} " + "word " * length for i, length in enumerate(lengths)]
        queries = pd.DataFrame({"query_id": [f"q{i:03d}" for i in range(n)], "type": kinds, "declared_type": kinds})
        queries["split"] = SPLITS * ANSWERS
        queries["raw_text"] = queries["text"] = texts
        queries["tokens_raw"] = queries["tokens"] = lengths + 4
        queries["group"] = np.arange(n)
        qrels = pd.DataFrame({"query_id": queries["query_id"], "score": 1.0})
        qrels["answer_id"] = np.repeat(answers["answer_id"].to_numpy(), PER_ANSWER)
        metrics = {f"{what}_share_{kind}": 0.02 for what in ("tfidf_lost", "tokens_lost", "texts_cut")
                   for kind in ("question", "conversation", "answer")}  # fmt: skip
        per_answer = pd.DataFrame({"answer_id": answers["answer_id"], "question": 5, "conversation": 5})
        per_answer = per_answer.assign(train=5, dev=2, test=3)
        tables = {
            "per_answer": per_answer,
            "leaks": pd.DataFrame(
                columns=["query_left", "split_left", "query_right", "split_right", "kind", "similarity", "same_answer"]
            ),
            "conflicts": pd.DataFrame(columns=["query_left", "split_left", "query_right", "split_right"]),
            "torn_threads": pd.DataFrame(columns=["query_left", "split_left", "query_right", "split_right"]),
            "tokenizer": tokenizer_table(),
            "pair_batches": pair_batch_table(),
            "sanity": sanity_table(),
            **pair_tables(judged_pairs()),
            **rating_tables(),
        }
        batches = pd.DataFrame(
            [("pretrain_barlow", 32, 32, np.nan)] * 5 + [("finetune_rank", 64, 32, 0.0)] * 5,
            columns=["stage", "rows", "distinct_answers", "rows_with_false_negatives"],
        )
        return DataRecords(answers, queries, qrels, metrics | {"lexical_overlap": 0.4}, tables, batches)

    def vectors(self, noise: float) -> np.ndarray:
        """(N, D) each query at its answer's direction, with `noise` per feature."""
        return self.answer_AD[self.own_N] + noise * self.noise_ND

    @staticmethod
    def pairs(noise: float, *, training: bool = False) -> pd.DataFrame:
        """Two test sets of 400 pairs, one of two subsets; or 300 training pairs of three classes."""
        n, levels = (300, 3) if training else (800, 6)
        random = np.random.default_rng(levels)
        table = pd.DataFrame({"pair_id": [f"p{i}" for i in range(n)], "label": np.arange(n) % levels / (levels - 1)})
        table["source"] = "nli" if training else np.repeat(["sts12", "stsb"], n // 2)
        table["subset"] = "" if training else np.repeat(["left", "right", "", ""], n // 4)
        return table.assign(prediction=table["label"] + noise * random.standard_normal(n))

    def with_scored_pairs(self, records: Records, **noise: float | tuple[float, float]) -> Records:
        """Other cosines of test pairs, by system (`base_tuned`); a second number is that of training pairs."""
        runs = dict(records.runs)
        for name, noises in noise.items():
            system = name.replace("_", "-")
            test, training = noises if isinstance(noises, tuple) else (noises, PAIR_NOISE["base"])
            pairs = {"pairs": self.pairs(test), "training_pairs": self.pairs(training, training=True)}
            runs[system] = replace(runs[system], **pairs)
        return replace(records, runs=runs)

    def run(self, query_ND: np.ndarray, answer_AD: np.ndarray | None = None, *, cosine: bool = True) -> RunRecord:
        """An encoder's run with all the numbers that `evaluate` records of it."""
        answer_AD = self.answer_AD if answer_AD is None else answer_AD
        query_unit_ND, answer_unit_AD = geometry.unit_rows(query_ND), geometry.unit_rows(answer_AD)
        run = self.scored(query_unit_ND @ answer_unit_AD.T if cosine else query_ND @ answer_AD.T)
        matched = geometry.matched_and_permuted_cosine(query_unit_ND, answer_unit_AD[self.own_N], 0)
        centroids = separation.centroid_distances(query_unit_ND, self.own_N, self.is_question_N)
        metrics = {
            "features": FEATURES,
            "vector_norm": float(np.linalg.norm(query_ND, axis=1).mean()),
            "mean_off_pair_cosine": geometry.mean_off_pair_cosine(query_unit_ND),
            "matched_cosine": matched.matched,
            "permuted_cosine": matched.permuted,
            "feature_std": geometry.feature_std(query_unit_ND),
            "centred_effective_rank": geometry.centred_effective_rank(query_unit_ND),
            "cluster_size": float(separation.cluster_size(query_unit_ND, self.own_N).mean()),
            "question_conversation_distance": float(centroids.distance_A.mean()),
            "type_probe_auc": separation.linear_probe_auc(query_unit_ND, self.is_question_N, self.own_N, seed=0),
            "score_kind_cosine": float(cosine),
        }
        return replace(run, metrics=run.metrics | metrics, query_vectors=query_ND, answer_vectors=answer_AD)

    def scored(self, score_NA: np.ndarray) -> RunRecord:
        """A run from the scores of all queries; only test queries are ranked."""
        test = np.flatnonzero(self.data.queries["split"] == "test")
        score_QA, own_Q = score_NA[test].round(9), self.own_N[test]
        above_Q, tied_Q = locating.locate(score_QA, np.arange(len(test)), own_Q)
        places = ranking.Places(np.arange(len(test)), above_Q, tied_Q, np.ones(len(test)), *score_QA.shape)
        ids, answer_ids = self.data.queries["query_id"].to_numpy()[test], self.data.answers["answer_id"].to_numpy()
        queries = pd.DataFrame({"query_id": ids, "type": self.data.queries["type"].to_numpy()[test]})
        queries = queries.assign(cluster=answer_ids[own_Q], **ranking.per_query(places), above=above_Q, tied=tied_Q)
        order_QK = np.argsort(-score_QA, axis=1, kind="stable")
        top = pd.DataFrame({"query_id": np.repeat(ids, ANSWERS), "rank": np.tile(np.arange(1, ANSWERS + 1), len(test))})
        top["answer_id"] = answer_ids[order_QK.ravel()]
        top["score"] = np.take_along_axis(score_QA, order_QK, axis=1).ravel()
        queries = queries.assign(score=score_QA[np.arange(len(test)), own_Q], top_score=score_QA.max(axis=1))
        return RunRecord({"tied_share": float((tied_Q > 1).mean())}, queries, top)

    @staticmethod
    def with_pairs(data: DataRecords, change: Callable[[pd.DataFrame], pd.DataFrame]) -> DataRecords:
        """`data` with what is recorded of its judged pairs after a change."""
        return replace(data, tables=data.tables | pair_tables(change(judged_pairs())))

    @staticmethod
    def barlow() -> TrainingRecord:
        done = np.arange(1, STEPS + 1) / STEPS
        diagonal = 0.9 * (1 - np.exp(-8 * done))
        history = pd.DataFrame({"step": np.arange(1, STEPS + 1), "mean_diagonal": diagonal, "rows": 32})
        history = history.assign(invariance=(1 - diagonal) ** 2, distinct_answers=32, noise_floor=32**-0.5)
        return TrainingRecord({"steps": STEPS}, history)

    @staticmethod
    def finetune(start: float = 0.62, end: float = 0.82) -> TrainingRecord:
        """Dev accuracy rises from `start` to `end` and flattens; training accuracy rises on to 0.98."""
        done = np.arange(1, STEPS + 1) / STEPS
        history = pd.DataFrame({"step": np.arange(1, STEPS + 1), "learning_rate": 1e-3 * np.cos(done * np.pi / 2)})
        history = history.assign(rank_loss=3.0 * np.exp(-3 * done), rank_chance=np.log(ANSWERS), logit_std=2.0)
        history = history.assign(rows=10, rows_with_false_negatives=0.0)  # 400 x 10 of 200 training pairs: 20 epochs
        history = history.assign(candidates=32, moved_block_5=0.02 * done, rank_gradient_share=0.6)
        history = history.assign(similarity_gradient_share=0.4, similarity_in_batch_loss=1.0, similarity_rows=32)
        # Full steps from the first one on, and no harm done.
        history = history.assign(rate_factor=np.cos(done * np.pi / 2), progress=done, gradient_norm=2.0)
        history = history.assign(loss=history["rank_loss"] + 1, similarity_loss=10 - 9 * done)
        history = history.assign(similarity_angle_loss=1.0, similarity_opposed_positives=0.0)
        history = history.assign(rank_similarity_gradient_cosine=0.05 + 0.2 * np.sin(np.arange(STEPS)))
        history = history.assign(targets_right=1.0, distinct_answers=10)
        history = history.assign(rank_accuracy=0.6 + 0.38 * done, rank_entropy=0.5 - 0.3 * done, scale=20.0)
        history = history.assign(queries_seen=np.minimum(10 * history["step"], 400), row_gap=1.0, clip_factor=0.5)
        history = history.assign(gradient_left=0.0, gradient_block_5=1e-3, update_block_5=1e-4, trained_weights=10**6)
        history = history.assign(weight_norm=1.0, weights_changed=1.0, descent_cosine=0.4, shrink_cosine=0.0)
        step = np.arange(0, STEPS + 1, EVERY)
        risen = 1 - np.exp(-8 * step / STEPS)
        evaluations = pd.DataFrame({"step": step, "accuracy@1_all": start + (end - start) * risen})
        evaluations["train_accuracy@1"] = start + (0.98 - start) * risen
        evaluations["spearman_mean"] = 0.5 + 0.3 * risen
        return TrainingRecord({"steps_run": STEPS, "best_step": STEPS}, history, evaluations)

    def spoil(self, healthy: Records, **runs: RunRecord) -> Records:
        """`healthy` with other runs, by system (`base_tuned` for base-tuned)."""
        return replace(healthy, runs=healthy.runs | {name.replace("_", "-"): run for name, run in runs.items()})

    def records(self) -> Records:
        floors = {name: self.scored(self.vectors(noise) @ self.answer_AD.T) for name, noise in FLOORS.items()}
        encoders = {name: self.run(self.vectors(noise)) for name, noise in SYSTEMS.items()}
        finetune = {"base": self.finetune(), "barlow": self.finetune(start=0.64)}
        records = Records(self.data, self.barlow(), finetune, {**floors, **encoders}, SHIPPED, PARAMS)
        return self.with_scored_pairs(records, **{name.replace("-", "_"): noise for name, noise in PAIR_NOISE.items()})


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def healthy(lab: Lab) -> Records:
    return lab.records()


@pytest.fixture(scope="session")
def remembered() -> list[tuple[Any, str, Any]]:
    """What most faults leave as it is is examined once: the same data, the figures of the same run, similarity and
    ratings of the same tables, rankings of the same queries, and the null of clusters of the same vectors.

    Examining them anew for each fault would be most of the time of these tests.
    """

    def vectors(query_ND: np.ndarray, answer_N: np.ndarray, **options: int) -> tuple[Any, ...]:
        return query_ND.tobytes(), answer_N.tobytes(), *options.items()

    def recorded(table: str) -> Callable[..., tuple[Any, ...]]:
        def key(records: Records, **options: float) -> tuple[Any, ...]:
            tables = ((name, id(getattr(run, table))) for name, run in records.runs.items())
            trained = (record.is_for_ratings for record in records.finetune.values())
            return id(records.systems), *trained, *tables, *options.items()

        return key

    def of_run(case: Examination, run: RunRecord, *_: Any) -> tuple[Any, ...]:
        return id(run), case.metric, case.seed, *map(id, (case.data.answers, case.data.queries, case.data.qrels))

    def of_data(one: probe.Probe) -> probe.Probe:
        find = one.find
        return replace(one, find=remembering(lambda data: [*find(data)], fields)) if one.on == "preflight" else one

    def of_rankings(case: Examination) -> tuple[Any, ...]:
        data = map(id, (case.data.answers, case.data.queries, case.data.qrels))
        return case.metric, case.level, *data, *recorded("queries")(case.records, **case.draws)

    def of_queries(records: Records, metric: str, **options: float) -> tuple[Any, ...]:
        return metric, *recorded("queries")(records, **options)

    def of_pairs(data: DataRecords) -> tuple[int, ...]:
        return tuple(id(data.tables.get(name)) for name in ("pair_agreement", "pair_levels"))

    definitions, agreements = scores.definitions, labels.agreements
    return [
        (examination, "comparisons", remembering(comparisons, of_queries)),
        (chance, "beside", remembering(chance.beside, of_rankings)),
        (labels, "agreements", remembering(lambda data: [*agreements(data)], of_pairs)),
        (representation, "answer_mixes", remembering(separation.answer_mixes, vectors)),
        (examination, "compare_similarity", remembering(compare_similarity, recorded("pairs"))),
        (examination, "compare_ratings", remembering(compare_ratings, recorded("ratings"))),
        (own_records, "CHECKS", [remembering(check, of_run) for check in own_records.CHECKS]),
        (scores, "definitions", remembering(lambda *seen: [*definitions(*seen)], of_run)),
        (probe, "_REGISTERED", [of_data(one) for one in probe._REGISTERED]),
    ]


@pytest.fixture(scope="module", autouse=True)
def looked_at_once(remembered: list[tuple[Any, str, Any]]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for place in remembered:
            patch.setattr(*place)
        yield


def fields(data: DataRecords) -> tuple[Any, ...]:
    """What tells the records of data from others: each table by its identity, numbers by their values."""
    tables = (data.answers, data.queries, data.qrels, data.batches, data.ratings, *data.tables.values())
    return *data.tables, *data.metrics.items(), *map(id, tables)


def remembering(function: Callable[..., Any], key: Callable[..., tuple[Any, ...]]) -> Callable[..., Any]:
    """`function`, called once for each key of its arguments; they are kept, so that an id stays the id of one table."""
    known: dict[tuple[Any, ...], Any] = {}

    def remembered(*arguments: Any, **options: Any) -> Any:
        found = key(*arguments, **options)
        if found not in known:
            known[found] = arguments, function(*arguments, **options)
        return known[found][1]

    return remembered


@pytest.fixture(scope="session")
def findings() -> Callable[..., dict[tuple[str, str], Finding]]:
    """Every finding of some records by (code, system), as `examine` gives them with few resamples."""

    def all_of(records: Records, **options: Any) -> dict[tuple[str, str], Finding]:
        choices = {"metric": "accuracy@1", "resamples": 300, "level": 0.95, "seed": 0} | options
        entries = examine(Examination(records, **choices)).findings
        found = [finding for entry in entries for finding in (entry, *entry.also)]
        by_name = {(finding.code, finding.system): finding for finding in found}
        assert len(by_name) == len(found), "a probe spoke twice"
        return by_name

    return all_of
