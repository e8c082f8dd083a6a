"""Vectors that have collapsed: into one point, or to a few directions."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.steps import calmer
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import RunRecord

# Mean cosine of different texts. Raw BERT, a narrow cone, reaches 0.9 and still ranks (arXiv:1909.00512); so the cosine
# alone decides nothing. It bounds the feature standard deviation: sqrt(1 - 0.95) = 0.22 at most.
ALIKE = 0.95
# Share of the distance to a wrong answer, 1 - permuted cosine, by which the right one is nearer: 0 at collapse, 0.3 for
# raw BERT. So matched pairs are read against the value of permuted pairs.
PAIRING = 0.05

# Of the directions that could be used, min(D, answers): a tenth; and a quarter of what the encoder used before.
# Effective rank compares runs of one method only (arXiv:2210.02885), hence the second; tuning to tell few answers apart
# lowers it rightly, hence the first.
RANK_PART = 0.10
RANK_LEFT = 0.25

WORSE = ("trained-at-chance", "pretraining-hurts", "worse-than-zero-shot", "worse-than-lexical")


def is_collapsed(run: RunRecord) -> bool:
    return run.metrics["mean_off_pair_cosine"] >= ALIKE and pairing(run) <= PAIRING


def pairing(run: RunRecord) -> float:
    """How much nearer a query is to its own answer than to another, as a share of that distance; 0 at collapse."""
    apart = 1 - run.metrics["permuted_cosine"]
    return (run.metrics["matched_cosine"] - run.metrics["permuted_cosine"]) / apart if apart > 1e-6 else 0.0


def _encoders(case: Examination) -> dict[str, RunRecord]:
    return {name: run for name, run in case.records.runs.items() if name in case.systems.encoders}


@probe(
    "collapsed-embeddings",
    on="trained",
    explains=("ties-decide-the-metric", *WORSE, "similarity-worse-than-zero-shot"),
    about="ranking",
    layer="encoder",
)
def collapsed_embeddings(case: Examination) -> Iterator[Finding | Outcome]:
    """All texts have nearly the same vector; reported for the first system of a chain, whose successors inherit it."""
    runs = _encoders(case)
    if not runs:
        yield not_applicable("data", "an encoder that was evaluated")
    for system, run in runs.items():
        parent = runs.get(case.systems.start.get(system, ""))
        if not is_collapsed(run):
            cosine = Evidence("mean cosine of different queries", run.metrics["mean_off_pair_cosine"])
            yield passed(system, cosine, ALIKE)
        if not is_collapsed(run) or (parent is not None and is_collapsed(parent)):
            continue
        yield Finding(
            severity="error",
            system=system,
            sentence=f"The vectors of {system} have collapsed: the mean cosine of different queries is "
            f"{run.metrics['mean_off_pair_cosine']:.3f}, and a query is no nearer to its own answer than to others.",
            evidence=(
                Evidence("mean cosine of different queries", run.metrics["mean_off_pair_cosine"]).against(ALIKE),
                Evidence("mean cosine of a query with its answer", run.metrics["matched_cosine"]),
                Evidence("mean cosine of a query with another answer", run.metrics["permuted_cosine"]),
                Evidence("feature standard deviation", run.metrics["feature_std"], "1 spread evenly, 0 at collapse"),
            ),
            cause="Steps that were too long, or had no warm-up, drove all vectors into one point; no gradient leads "
            "back."
            if case.systems.role(system) != "zero-shot"
            else "With this pooling the vectors hold little but their common mean; the encoder was not made for it.",
            fix=_collapse_fix(case, system),
            reference="ST#2365, #2248, #3469, #71; HF#735",
            weight=_lost(case, system),
        )


def _lost(case: Examination, system: str) -> float:
    """Points of the metric that the system's training took; 0 where none did, or where that is not known."""
    start = case.systems.start.get(system, "")
    return max(0.0, 100 * (case.mean(start) - case.mean(system))) if start in case.records.runs else 0.0


def _collapse_fix(case: Examination, system: str) -> Fix:
    if case.systems.role(system) == "zero-shot":
        own = case.systems.options[system].pooling != "auto"
        key = f"systems.{system}.pooling" if own else "encoder.pooling"
        return Fix({key: "mean"}, "or choose an encoder that was trained for similarity")
    if case.systems.role(system) == "pretrained":
        return Fix({"pretrain_barlow.steps": 0})
    record = case.records.training_of(system)
    rates = calmer(record) if record and len(record.history) else {}
    return Fix(rates | {"finetune_rank.warmup_ratio": 0.1})


@probe("dimensional-collapse", on="trained", explains=WORSE, about="ranking", layer="training", by_outcome=True)
def dimensional_collapse(case: Examination) -> Iterator[Finding | Outcome]:
    """The differences between texts use few of the directions they have; reported for the first system of a chain."""
    runs = _encoders(case)
    low = {name for name, run in runs.items() if _is_flat(case, name, run)}
    if not any(case.systems.start.get(name) for name in runs):
        yield not_applicable("data", "a system that was trained")
    for system, run in runs.items():
        if system not in low and case.systems.root(system) in runs and case.systems.root(system) != system:
            used = Evidence("centred effective rank", run.metrics["centred_effective_rank"], "directions")
            yield passed(system, used, RANK_PART * min(run.metrics["features"], len(case.data.answers)))
        if system not in low or case.systems.start.get(system) in low:
            continue
        rank, features = run.metrics["centred_effective_rank"], run.metrics["features"]
        root = case.systems.root(system)
        before = runs[root].metrics["centred_effective_rank"]
        yield Finding(
            system=system,
            sentence=f"The vectors of {system} use {rank:.1f} of {features:.0f} directions; those of {root} use "
            f"{before:.1f}.",
            evidence=(
                Evidence("centred effective rank", rank, "directions").against(
                    RANK_PART * min(features, len(case.data.answers))
                ),
                Evidence(f"centred effective rank of {root}", before, "directions"),
                Evidence("features", features, "directions"),
                Evidence("answers to tell apart", len(case.data.answers), "answers"),
            ),
            cause=(
                "A new head that learns its directions from few texts gives"
                if _has_new_head(case, system)
                else "Steps that were too long, or too many, give"
            )
            + " up most directions, and answers that differ along these can no longer be told apart.",
            fix=_flat_fix(case, system),
            reference="Jing et al. 2022, arXiv:2110.09348; Garrido et al. 2023, arXiv:2210.02885",
            weight=_lost(case, system),
        )


def _has_new_head(case: Examination, system: str) -> bool:
    """Whether its training began with a head that is not the identity; so it is read where that is not known."""
    training = case.records.params.get("finetune_rank")
    if training is None or case.systems.role(system) == "pretrained":
        return True
    pretrained = case.systems.is_after_pretraining(system) and case.records.pretraining is not None
    return training["head"]["kind"] == "mlp" and not (pretrained and training["barlow_head"] == "inherit")


def _flat_fix(case: Examination, system: str) -> Fix:
    if case.systems.role(system) == "pretrained":
        return Fix({"pretrain_barlow.steps": 0})
    if _has_new_head(case, system):
        return Fix({"finetune_rank.head.kind": "residual"})
    record = case.records.training_of(system)
    return Fix(calmer(record) if record and len(record.history) else {}, "or take fewer steps")


def _is_flat(case: Examination, system: str, run: RunRecord) -> bool:
    root = case.records.runs.get(case.systems.root(system))
    if root is None or run is root or is_collapsed(run):
        return False
    rank, features = run.metrics["centred_effective_rank"], run.metrics["features"]
    before = min(root.metrics["centred_effective_rank"], features)
    return rank < RANK_PART * min(features, len(case.data.answers)) and rank < RANK_LEFT * before
