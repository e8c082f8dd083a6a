"""When pretraining cannot help, and what makes it harm: a tuned encoder, views that are labels, a weight too low."""

from collections.abc import Iterator

import numpy as np

from whyrank.core.options.barlow import LABELLED
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.pretraining.views import NAME, SYMPTOMS
from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe

# Weight times features: 41 in the paper. Below this, ranks fell by a fifth with 384 features.
LEAST_WEIGHT = 5.0
# Of the effective rank of answers, from before the first step to after the last.
FALL = 0.05
# Mean cosine of two answers, and nearness of a span to its answer beside another one, of an encoder whose space is open
# and aligned. MiniLM with its own pooling: 0.18 and 0.68 on ConditionalQA, where pretraining brought nothing; 0.06 and
# 0.55 on Stack Exchange, where it brought two points with 100 labels. Read at CLS: 0.74 and 0.67, 0.68 and 0.52.
OPEN, ALIGNED = 0.45, 0.62
Told = Iterator[Finding | Outcome]


@probe("redundancy-weight-too-small", on="trained", explains=SYMPTOMS, layer="training")
def redundancy_weight_too_small(case: Examination) -> Told:
    """The loss of Barlow Twins is won by giving up features: views come to agree while the rank of answers falls."""
    record, options = case.records.pretraining, case.records.params.get(NAME, {})
    is_barlow = options.get("objective") == "barlow"
    is_recorded = record is not None and {"answer_rank", "view_agreement"} <= set(record.evaluations)
    if record is None or not is_barlow or not is_recorded or "features" not in record.history:
        yield not_applicable(NAME, "a Barlow Twins pretraining that was evaluated")
        return
    first, last = record.evaluations.iloc[0], record.evaluations.iloc[-1]
    fall = 1 - last["answer_rank"] / first["answer_rank"]
    measured, weight = percent("fall of the effective rank of answers", fall), options.get("redundancy_weight", "auto")
    product = np.inf if weight == "auto" else weight * float(record.history["features"].iloc[0])
    if product >= LEAST_WEIGHT or fall < FALL:
        yield passed(NAME, measured, 100 * FALL)
        return
    yield Finding(
        system=NAME,
        sentence=f"Pretraining won its loss by giving up features: the effective rank of answers fell from "
        f"{first['answer_rank']:.0f} to {last['answer_rank']:.0f}, and the agreement of spans with their answers went "
        f"from {first['view_agreement']:.2f} to {last['view_agreement']:.2f}.",
        evidence=(
            measured.against(100 * FALL),
            Evidence("redundancy weight times features", product, "41 in the paper").against(LEAST_WEIGHT),
            Evidence("agreement of spans with their answers, before", float(first["view_agreement"])),
            Evidence("agreement of spans with their answers, after", float(last["view_agreement"])),
        ),
        cause="The invariance term has as many summands as features, the redundancy term their square. A weight of "
        "0.005 belongs to 8,192 features; with few hundred the second term hardly counts, and features that agree "
        "best take over.",
        fix=Fix({"pretrain_barlow.redundancy_weight": "auto"}),
        reference="Zbontar et al. 2021, arXiv:2103.03230 (weight 0.0051, 8,192 features)",
        weight=100 * fall,
    )


@probe("encoder-already-tuned", on="trained", layer="symptom")
def encoder_already_tuned(case: Examination) -> Told:
    """Before pretraining, spans lie near their answers and answers apart: labels, not views, are what is missing."""
    record = case.records.pretraining
    if record is None or "answer_cosine" not in record.evaluations or record.evaluations.empty:
        yield not_applicable(NAME, "a pretraining whose encoder was measured before the first step")
        return
    first = record.evaluations.iloc[0]
    cosine, agreement = float(first["answer_cosine"]), float(first["view_agreement"])
    evidence = (
        Evidence("mean cosine of two answers, before the first step", cosine).against(OPEN),
        Evidence("cosine of a span with its answer, less that with another", agreement).against(ALIGNED),
    )
    if cosine > OPEN or agreement < ALIGNED:
        yield passed(NAME, evidence[0] if cosine > OPEN else evidence[1], OPEN if cosine > OPEN else ALIGNED)
        return
    yield Finding(
        severity="info",
        system=NAME,
        sentence="The encoder is tuned for such texts already: two answers have a mean cosine of "
        f"{cosine:.2f}, and a span of an answer is nearer to it than to another one by {agreement:.2f}. Pretraining on "
        "your texts is not expected to help.",
        evidence=evidence,
        cause="Label-free views teach that a part of a text belongs to it, and that texts differ. This space has both; "
        "what it lacks is what your queries mean, which only labels say.",
        fix=Fix({"pretrain_barlow.steps": 0}, "spend on labelled queries, and train more of the encoder"),
        reference="Gururangan et al. 2020, arXiv:2004.10964; docs/results.md, Does pretraining help?",
        weight=0.5,
    )


@probe("pretraining-views-are-labels", on="trained", layer="batches")
def pretraining_views_are_labels(case: Examination) -> Told:
    """All views are made of the judgements that fine-tuning is trained on."""
    views = case.records.params.get(NAME, {}).get("views", [])
    if case.records.pretraining is None or not views:
        yield not_applicable(NAME, "pretraining")
        return
    labelled = [view for view in views if view in LABELLED]
    share = percent("views made of judgements", len(labelled) / len(views))
    if len(labelled) < len(views):
        yield passed(NAME, share, 100.0)
        return
    yield Finding(
        severity="info",
        system=NAME,
        sentence=f"Pretraining sees nothing that fine-tuning does not: its views ({', '.join(labelled)}) are made of "
        "the training judgements.",
        evidence=(share.against(100.0),),
        cause="Views by labels are the training set. Fine-tuning makes more of it, with the loss that ranking is "
        "judged by; what pretraining could add is in texts without labels.",
        fix=Fix({"pretrain_barlow.views": ["question-in-conversation", "span-document"]}),
        reference="docs/results.md, Does pretraining help?",
        weight=0.5,
    )
