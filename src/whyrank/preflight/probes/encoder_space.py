"""How the vectors lie, and what ranking training queries would gain if they were read otherwise.

A shape alone is no fault: trained encoders lie in cones (E5 at a mean cosine of 0.8), and untuned ones have features
that dwarf the others. It is a warning where reading the same vectors without it ranks better, beyond the interval.
"""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval
from whyrank.preflight.probes.layer_faults import is_untrained

# Training queries below which no difference is told, and reciprocal rank from which one is worth a change.
LEAST_QUERIES, LEAST_GAIN = 20, 0.02
# The usual interval, of five readings in all.
LEVEL, RESAMPLES = 0.99, 2000
# Mean cosine of two answers: 0.05 to 0.26 of all-MiniLM-L6-v2 on the three sets here, 0.4 to 0.6 of raw BERT, 0.9 of
# raw RoBERTa (Ethayarajh 2019; Li et al. 2020).
CONE = 0.6
# Of the squared length: 0.5 to 3 % of sentence encoders, a third and more of raw RoBERTa (Timkey and van Schijndel).
ROGUE = 0.2
# Beyond these no encoder of texts lies, trained or not: what is left of a cosine is a few hundredths, which the other
# readings here may still order, and heads or half precision no longer.
ALL_CONE, ALL_ROGUE = 0.95, 0.4
# Longest by shortest vector (95 and 5 % of the answers), which matters only to dot products.
UNEQUAL = 1.5
# Mean cosine within queries or answers, less that of a query and an answer: -0.02 to 0.02 of sentence encoders.
APART = 0.05

RANKING = ("worse-than-lexical", "hub-answers")


def gained(data: DataRecords, way: str) -> Interval | None:
    """Reciprocal rank that a reading gains over the one in use; None where it was not made or queries are too few."""
    table = data.table("encoder_readings")
    if way not in table or len(table) < LEAST_QUERIES:
        return None
    difference = table[way] - table["used"]
    return mean_interval(difference, table["answer_id"], resamples=RESAMPLES, seed=0, level=LEVEL)


def is_worth(gain: Interval | None) -> bool:
    return gain is not None and gain.low > 0 and gain.mean >= LEAST_GAIN


def spoken(gain: Interval, count: int) -> str:
    bounds = f"[{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"
    return f"{100 * gain.mean:+.1f} points of MRR {bounds} on {count} training queries"


def needs(data: DataRecords) -> Outcome | None:
    """What there is to say where no vectors were recorded, or too few queries."""
    if data.table("encoder_space").empty:
        return not_applicable("prepare", "training queries with a right answer")
    queries = len(data.table("encoder_readings"))
    if queries < LEAST_QUERIES:
        return too_little("prepare", f"{queries} training queries; {LEAST_QUERIES} would tell")
    return None


def _shaped(
    data: DataRecords, way: str, measured: Evidence, threshold: float, extreme: float = float("inf"), **told: str
) -> Iterator[Finding | Outcome]:
    """A shape beyond its threshold: a warning where the other reading or TF-IDF ranks better, or where it is extreme;
    else for information."""
    gain, behind = gained(data, way), gained(data, "shared_words")
    if measured.value < threshold or gain is None:
        yield passed("prepare", measured, threshold)
        return
    count = len(data.table("encoder_readings"))
    yield Finding(
        severity="warning"
        if (is_worth(gain) or is_worth(behind) or measured.value >= extreme) and not is_untrained(data)
        else "info",
        system="prepare",
        sentence=f"{told['sentence']} {told['without']} changes its ranking by {spoken(gain, count)}"
        + (f"; TF-IDF is {100 * behind.mean:.0f} points better." if behind is not None and is_worth(behind) else "."),
        evidence=(measured.against(threshold), *means(data, way)),
        cause=told["cause"],
        fix=Fix({}, told["action"]),
        reference=told["reference"],
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * max(gain.mean, 0.0),
    )


def means(data: DataRecords, way: str) -> Iterator[Evidence]:
    table = data.table("encoder_readings")
    used, other = float(table["used"].mean()), float(table[way].mean())
    yield Evidence("MRR as used", used)
    yield Evidence(f"MRR {way.replace('_', ' ')}", other).where_from(used + LEAST_GAIN)


@probe("rogue-dimensions", on="preflight", explains=("cone", *RANKING), about="ranking", layer="encoder")
def rogue_dimensions(data: DataRecords) -> Iterator[Finding | Outcome]:
    """One feature that outweighs the others in every cosine."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    share = float(data.table("encoder_space")["largest_feature"].iloc[0])
    yield from _shaped(
        data,
        "standardised",
        percent("squared length of a vector in its largest feature", share),
        100 * ROGUE,
        100 * ALL_ROGUE,
        sentence=f"One feature holds {100 * share:.0f} % of the squared length of the encoder's vectors (0.5 to 3 % in "
        "sentence encoders): it decides their cosines.",
        without="Bringing all features to one scale",
        cause="Encoders that only filled in masked words have such features; training for similarity removes them.",
        action="train the whole encoder (finetune_rank.train=all) on a head that can rescale features, or standardise",
        reference="Timkey and van Schijndel 2021, arXiv:2109.04404; vecscope `rogue_dimensions`",
    )


@probe(
    "cone",
    on="preflight",
    explains=(*RANKING, "ties-decide-the-metric", "cannot-learn-by-heart"),
    about="ranking",
    layer="encoder",
)
def cone(data: DataRecords) -> Iterator[Finding | Outcome]:
    """All vectors in one direction."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space = data.table("encoder_space").iloc[0]
    if not space["answers"] > 1:
        yield too_little("prepare", "one answer; two would tell")
        return
    yield from _shaped(
        data,
        "centred",
        Evidence("mean cosine of two answers", float(space["cosine_answers"])),
        CONE,
        ALL_CONE,
        sentence=f"The encoder puts all texts into a narrow cone: two answers have a mean cosine of "
        f"{space['cosine_answers']:.2f} (0.05 to 0.3 in sentence encoders, 0.4 to 0.9 in raw BERT and RoBERTa).",
        without="Taking their mean away",
        cause="The encoder was not trained to tell texts apart, its layers are damaged, or its training left them so.",
        action="train the whole encoder (finetune_rank.train=all), or take a sentence encoder",
        reference="Ethayarajh 2019, arXiv:1909.00512; Li et al. 2020, arXiv:2011.05864",
    )


@probe("queries-apart-from-answers", on="preflight", explains=RANKING, about="ranking", layer="encoder")
def queries_apart_from_answers(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Queries on one side, answers on another: then what is nearest is chance."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space, gain = data.table("encoder_space").iloc[0], gained(data, "by_side")
    own = min(space["cosine_answers"], space["cosine_queries"])
    gap = Evidence("mean cosine within a side, less that between them", float(own - space["cosine_between"]))
    if gain is None or not is_worth(gain) or gap.value < APART:
        yield passed("prepare", gap, APART)
        return
    yield Finding(
        system="prepare",
        sentence="Queries lie apart from the answers: taking away the mean of each side changes the encoder's ranking "
        f"by {spoken(gain, len(data.table('encoder_readings')))}.",
        evidence=(gap.against(APART), *means(data, "by_side")),
        cause="Queries differ from answers in form or topic more than from each other, or one side is encoded with "
        "another prompt or length than the encoder was trained with.",
        fix=Fix({"finetune_rank.encoders": "dual"}, "check the prompts of both sides first"),
        reference="Liang et al. 2022, arXiv:2203.02053; vecscope `ood_queries`",
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * gain.mean,
    )


@probe("unequal-norms", on="preflight", explains=RANKING, about="ranking", layer="encoder")
def unequal_norms(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Dot products of vectors of unequal length rank the long ones first, whatever they say."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space = data.table("encoder_space").iloc[0]
    if space["score"] != "dot":
        yield not_applicable("prepare", "an encoder whose vectors are compared by dot product")
        return
    ratio = float(space["longest"] / max(space["shortest"], 1e-9))
    yield from _shaped(
        data,
        "cosine",
        Evidence("longest by shortest vector of an answer (95 and 5 %)", ratio),
        UNEQUAL,
        sentence=f"Vectors are compared by dot product, and the longest of answers are {ratio:.1f} times as long as "
        "the shortest.",
        without="The cosine in its place",
        cause="The encoder declares `dot` without Normalize: it was not trained for that, or its Normalize was lost.",
        action='put Normalize back into modules.json, or "similarity_fn_name": "cosine" into the encoder\'s '
        "config_sentence_transformers.json",
        reference="vecscope `norms`, `metric_mismatch`",
    )


@probe(
    "half-precision-changes-ranks",
    on="preflight",
    explains=("ties-decide-the-metric",),
    about="ranking",
    layer="encoder",
)
def half_precision_changes_ranks(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The same queries in float32."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space, table = data.table("encoder_space").iloc[0], data.table("encoder_readings")
    gain = gained(data, "float32")
    if gain is None:
        yield not_applicable("prepare", "an encoder that is run in half precision")
        return
    changed = float((table["float32"] != table["used"]).mean())
    if space["finite"] and not is_worth(gain):
        yield passed("prepare", Evidence("MRR that float32 gains", gain.mean), LEAST_GAIN)
        return
    what = "gives vectors that are not finite" if not space["finite"] else "changes ranks"
    yield Finding(
        severity="warning" if space["finite"] else "error",
        system="prepare",
        sentence=f"The encoder in {space['precision']} {what}: float32 changes its ranking by "
        f"{spoken(gain, len(table))}.",
        evidence=(percent("queries with another rank", changed), *means(data, "float32")),
        cause="Its activations are too large, or its vectors too alike, for so few digits.",
        fix=Fix({"encoder.precision": "fp32"}),
        reference="ST#3894; mteb#4932; michaelfeil/infinity#203",
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * max(gain.mean, 0.0),
    )
