"""What all texts share and a cosine counts: how much a read-out that takes it off gains on the dev queries."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.measure.significance.resampling import Interval

READS = {"centred": "less their mean", "standardised": "less their mean, each feature by its standard deviation,"}


@probe("common-direction", on="trained", about="ranking", layer="encoder", explains=("cone", "worse-than-lexical"))
def common_direction(case: Examination) -> Iterator[Finding | Outcome]:
    """Answers share one direction: without it the encoder ranks dev queries surely better."""
    table = case.records.data.table("readout")
    name = next(iter(case.systems.zero_shot), "")
    if table.empty:
        yield not_applicable(name, "dev queries enough to choose a read-out by")
        return
    kinds = {str(row["kind"]): Interval(row["gain"], row["low"], row["high"]) for row in table.to_dict("records")}
    best = max(kinds, key=lambda kind: kinds[kind].mean)
    gain = kinds[best]
    measured = Evidence(f"gain of a {best} read-out in MRR of the dev queries", 100 * gain.mean, "points")
    if gain.low <= 0:
        yield passed(name, measured, 0.0)
        return
    used = case.records.params.get("encoder", {}).get("readout", "auto")
    is_used = used in ("auto", best)
    run = case.records.runs.get(name)
    cosine = None if run is None else run.metrics.get("permuted_cosine")
    yield Finding(
        severity="info" if is_used else "warning",
        system=name,
        sentence="The encoder's vectors share a direction that says nothing of the texts: vectors "
        f"{READS[best]} rank dev queries better by {100 * gain.mean:.1f} points of MRR [{100 * gain.low:+.1f}, "
        f"{100 * gain.high:+.1f}]" + (", and that is how systems are read here." if is_used else "."),
        evidence=(
            measured.against(0.0),
            *([Evidence(f"mean cosine of queries and wrong answers, {name}", cosine)] if cosine is not None else ()),
        ),
        cause="A cosine counts what all texts have in common. A loss that subtracts the mean of a batch, as that of "
        "Barlow Twins, cannot see it and does not take it away; a softmax over answers does, where it is trained long.",
        fix=Fix({}, "none needed") if is_used else Fix({"encoder.readout": "auto"}),
        interval=(100 * gain.low, 100 * gain.high),
        reference="Mu and Viswanath 2018, arXiv:1702.01417; Su et al. 2021, arXiv:2103.15316",
        weight=100 * gain.mean if not is_used else 0.5,
    )
