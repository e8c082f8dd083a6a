"""What the vectors stand for: query types that lie apart, answers that serve several topics."""

from collections.abc import Iterator

import numpy as np
from scipy import stats

from whyrank.diagnosis.examination import Examination, is_lower, points, spoken, without_loss
from whyrank.diagnosis.probes.ranking.collapse import is_collapsed
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.measure.metrics.separation import answer_mixes
from whyrank.measure.significance.resampling import Interval

# A linear probe tells questions from conversations almost always (they differ in length and tone), so it must come with
# neighbours by type beyond chance (0 none, 1 all) and centroids at least as far apart as an answer's queries spread.
PROBE_AUC = 0.90
OWN_TYPE = 0.50
CENTROIDS = 1.0
NEIGHBOURS = 10
SAMPLE = 1000
# Steps for a pretraining that was off.
PRETRAIN_STEPS = 300

# One healthy answer in twenty passes the 95 % point of its null. More than luck is what 1 experiment in 100 would have.
PASS_BY_LUCK = 0.05
MORE_THAN_LUCK = 0.01
# Fewer queries of an answer split well by luck too often.
MIXED_QUERIES = 6
# Answers looked at, and queries of each: a random part bounds the cost to some seconds.
MIXED_ANSWERS = 200
MIXED_SAMPLE = 32


@probe("question-conversation-gap", on="trained", about="ranking", layer="symptom")
def question_conversation_gap(case: Examination) -> Iterator[Finding | Outcome]:
    """A tuned system ranks one type worse and keeps the two types in separate regions."""
    for system in case.systems.tuned:
        run = case.records.runs.get(system)
        if run is None or run.query_vectors is None or run.queries["type"].nunique() < 2 or is_collapsed(run):
            yield not_applicable(system, "vectors that differ, of queries of both types")
            continue
        gap = case.contrast(run.queries[case.metric], run.queries["type"] == "question", run.queries["cluster"])
        weak = "question"
        if gap.mean > 0:
            weak, gap = "conversation", Interval(-gap.mean, -gap.high, -gap.low)
        if not is_lower(gap):
            yield without_loss(system, gap, f"{case.metric} of {weak}s less that of the others", "")
            continue
        # `evaluate` leaves out what is undefined, for instance where no answer has both types.
        if not {"type_probe_auc", "question_conversation_distance", "cluster_size"} <= run.metrics.keys():
            yield not_applicable(system, "answers with queries of both types")
            continue
        centroids = run.metrics["question_conversation_distance"] / max(run.metrics["cluster_size"], 1e-12)
        if run.metrics["type_probe_auc"] < PROBE_AUC or centroids < CENTROIDS:
            yield passed(system, Evidence("centroid distance of the types over cluster size", centroids), CENTROIDS)
            continue
        own = own_type_neighbours(run.query_vectors, (case.data.queries["type"] == "question").to_numpy(), case.seed)
        if own < OWN_TYPE:
            yield passed(system, Evidence("neighbours of the own type beyond chance", own), OWN_TYPE)
            continue
        yield Finding(
            system=system,
            sentence=f"{system} ranks {weak}s worse than the other type: {spoken(gap, case.metric)}; the two types "
            "lie in separate regions.",
            evidence=(
                Evidence(f"{case.metric}, {weak}s minus the others", 100 * gap.mean, "points"),
                Evidence("AUC of a linear classifier of the type", run.metrics["type_probe_auc"], "0.5 at chance"),
                Evidence("neighbours of the own type beyond chance", own, "0 none, 1 all"),
                Evidence("centroid distance of the types over cluster size", centroids).against(CENTROIDS),
            ),
            cause="The vectors encode how a text is written before what it asks. A question and a conversation about "
            "one answer lie apart, and the answer lies near one of them.",
            fix=_views_fix(case),
            reference="arXiv:2405.18570 (contrastive gap); arXiv:2601.18525",
            interval=points(gap),
            # All of the weak type's arrears: at most.
            weight=-100 * gap.mean * float((run.queries["type"] == weak).mean()),
        )


def _views_fix(case: Examination) -> Fix:
    """Pull questions and conversations of an answer together before ranking."""
    views = {"pretrain_barlow.views": ["question-conversation"], "pretrain_barlow.batches": "across_answers"}
    steps = {"pretrain_barlow.steps": PRETRAIN_STEPS} if case.records.pretraining is None else {}
    return Fix(views | steps, "and read the system that is tuned after pretraining")


def own_type_neighbours(vectors_ND: np.ndarray, is_question_N: np.ndarray, seed: int) -> float:
    """Share of the nearest queries that have the own type, beyond the share expected by chance: 0 at chance, 1 all.

    Mean over a sample of queries of (share - chance) / (1 - chance), by cosine. Cost SAMPLE x N x D.
    """
    unit_ND = unit_rows(vectors_ND)
    n = len(unit_ND)
    sample = np.random.default_rng(seed).permutation(n)[:SAMPLE]
    cosine_SN = unit_ND[sample] @ unit_ND.T
    cosine_SN[np.arange(len(sample)), sample] = -np.inf
    near_SK = np.argpartition(-cosine_SN, min(NEIGHBOURS, n - 2), axis=1)[:, : min(NEIGHBOURS, n - 1)]
    same_S = (is_question_N[near_SK] == is_question_N[sample][:, None]).mean(axis=1)
    own_S = np.where(is_question_N[sample], is_question_N.sum(), (~is_question_N).sum())
    chance_S = (own_S - 1) / (n - 1)
    return float((same_S.mean() - chance_S.mean()) / max(1 - chance_S.mean(), 1e-12))


@probe("answer-mixes-questions", on="trained", layer="data")
def answer_mixes_questions(case: Examination) -> Iterator[Finding | Outcome]:
    """Answers whose queries form two clusters in the pretrained encoder."""
    run = next((case.records.runs[name] for name in case.systems.zero_shot if name in case.records.runs), None)
    if run is None or run.query_vectors is None or is_collapsed(run):
        yield not_applicable("data", "a pretrained encoder (zero-shot) whose vectors differ")
        return
    queries, qrels = case.data.queries, case.data.qrels
    first = qrels[qrels["score"] > 0].drop_duplicates("query_id").set_index("query_id")["answer_id"]
    answer_N = queries["query_id"].map(first)
    counts = answer_N.value_counts(sort=False)
    names = np.random.default_rng(case.seed).permutation(np.sort(counts.index[counts >= MIXED_QUERIES].to_numpy(str)))
    if len(names) == 0:
        yield too_little("data", f"no answer has {MIXED_QUERIES} queries")
        return
    chosen = answer_N.isin(names[:MIXED_ANSWERS]).to_numpy()
    unit_ND = unit_rows(run.query_vectors)
    for kind in queries["type"].unique():
        # Every answer's queries split by type; what is asked for is a split by topic.
        of_kind = (queries["type"] == kind).to_numpy()
        unit_ND[of_kind] -= unit_ND[of_kind].mean(axis=0)
    answer_M = answer_N[chosen].to_numpy(dtype=str)
    mixes = answer_mixes(unit_ND[chosen], answer_M, seed=case.seed, least=MIXED_QUERIES, sample=MIXED_SAMPLE)
    margin_A = mixes.silhouette_A - mixes.null_95_A
    tested, mixed = len(margin_A), int((margin_A > 0).sum())
    chance = float(stats.binom.isf(MORE_THAN_LUCK, tested, PASS_BY_LUCK))
    if stats.binom.sf(mixed - 1, tested, PASS_BY_LUCK) > MORE_THAN_LUCK:
        yield passed("data", Evidence("answers whose queries form two clusters", mixed, "answers"), chance)
        return
    names = mixes.answer_A[np.argsort(-margin_A, kind="stable")]
    yield Finding(
        severity="info",
        system="data",
        sentence=f"The queries of {mixed} of {tested} answers form two clusters ({PASS_BY_LUCK * tested:.0f} expected "
        f"by chance), most clearly those of {', '.join(names[:3])}.",
        evidence=(
            Evidence("answers whose queries form two clusters", mixed, "answers").against(chance),
            Evidence("answers with enough queries for the test", tested, "answers"),
            Evidence(f"silhouette of the split of {names[0]}", float(mixes.silhouette_A[margin_A.argmax()])),
            Evidence("95 % point for one topic", float(mixes.null_95_A[margin_A.argmax()])),
        ),
        cause="One answer document serves several questions, and its single vector has to lie between them.",
        fix=Fix({}, "split these answers by the question they solve"),
        reference="Rousseeuw 1987; Liu et al. 2008 (SigClust)",
        weight=mixed / tested,
    )
