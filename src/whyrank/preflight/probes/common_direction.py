"""What all texts share and a cosine counts: how much a read-out that takes it off gains on the dev queries."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of

READS = {"centred": "less their mean", "standardised": "less their mean, each feature by its standard deviation,"}


@probe("common-direction", on="preflight", about="ranking", layer="encoder", explains=("cone", "worse-than-lexical"))
def common_direction(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers share one direction: without it the encoder ranks dev queries surely better."""
    rows = rows_of(data.table("readout"))
    if not rows:
        yield not_applicable("prepare", "a cosine, and dev queries enough to choose a read-out by")
        return
    best = max(rows, key=lambda row: float(row.gain))
    measured = Evidence(f"gain of a {best.kind} read-out in MRR of the dev queries", 100 * best.gain, "points")
    if best.low <= 0:
        yield passed("prepare", measured, 0.0)
        return
    space = data.table("encoder_space")
    between = [float(value) for value in space.get("cosine_between", [])]
    yield Finding(
        severity="info" if best.is_used else "warning",
        system="prepare",
        sentence="The encoder's vectors share a direction that says nothing of the texts: vectors "
        f"{READS[best.kind]} rank dev queries better by {100 * best.gain:.1f} points of MRR [{100 * best.low:+.1f}, "
        f"{100 * best.high:+.1f}]" + (", and that is how systems are read here." if best.is_used else "."),
        evidence=(
            measured.against(0.0),
            *(Evidence("mean cosine of a query and an answer", value) for value in between),
        ),
        cause="A cosine counts what all texts have in common. A loss that subtracts the mean of a batch, as that of "
        "Barlow Twins, cannot see it and does not take it away; a softmax over answers does, where it is trained long.",
        fix=Fix({}, "none needed") if best.is_used else Fix({"encoder.readout": "auto"}),
        interval=(100 * best.low, 100 * best.high),
        reference="Mu and Viswanath 2018, arXiv:1702.01417; Su et al. 2021, arXiv:2103.15316",
        weight=0.5 if best.is_used else 100 * best.gain,
    )
