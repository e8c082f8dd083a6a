"""Targets of ratings with a rare side, which the losses that were trained give no weight."""

from collections.abc import Iterator

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.steps import trained
from whyrank.findings.finding import Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import rows_of
from whyrank.preflight.probes.rating_labels import NAMED, targets_of

# Columns of losses by what they weigh alike: rows, or the two sides of a target.
BY_ROWS = {"ratings_bce_loss", "ratings_focal_loss", "ratings_mse_loss"}
BY_SIDES = {"ratings_weighted_bce_loss", "ratings_rank_correlation_loss"}
# Labels on the rarer side of a target: one in twenty, of which a batch of 16 has none more often than one; and from one
# in fifty on, some folds of a few hundred rows have a handful.
RARE, RAREST = 0.05, 0.02
CLASS_AWARE = {
    "finetune_rank.objectives.ratings.bce.weight": 0.0,
    "finetune_rank.objectives.ratings.focal.weight": 0.0,
    "finetune_rank.objectives.ratings.mse.weight": 0.0,
    "finetune_rank.objectives.ratings.weighted_bce.weight": 1.0,
}


@probe(
    "target-imbalance",
    on="trained",
    explains=("constant-predictions", "worse-than-lexical"),
    about="ratings",
    layer="labels",
)
def target_imbalance(case: Examination) -> Iterator[Finding | Outcome]:
    """Targets with a rare side, and only losses in which a side pulls as often as it occurs.

    At predictions of one half each row pulls alike under binary cross-entropy, squared error and focal loss. Class
    weights make both sides pull alike, and a rank correlation compares rows of one with rows of the other.
    """
    losses = {str(name) for record in trained(case).values() for name in record.history}
    table = targets_of(case.data)
    found = table[(table["distinct"] > 1) & (table["rare_share"] < RARE)]
    if table.empty or not losses & (BY_ROWS | BY_SIDES):
        yield not_applicable("ratings", "training on ratings")
        return
    if found.empty or not losses & BY_ROWS or losses & BY_SIDES:
        rare = percent("labels on the rarer side of the rarest target", float(table["rare_share"].min()))
        yield passed("ratings", rare, 100 * RARE, "" if found.empty else "a loss gives the rarer side more weight")
        return
    found = found.sort_values("rare_share", kind="stable")
    rarest, shown = float(found["rare_share"].iloc[0]), rows_of(found.head(NAMED))
    named = ", ".join(f"'{row.target}' {100 * row.rare_share:.1f} %" for row in shown)
    yield Finding(
        severity="warning" if rarest < RAREST else "info",
        system="ratings",
        sentence=f"{len(found)} of {len(table)} targets have less than {100 * RARE:.0f} % of their labels on the rarer "
        f"side, and no loss gives that side more weight: {named}.",
        evidence=tuple(
            percent(f"labels on the rarer side of '{row.target}'", float(row.rare_share)).against(100 * RARE)
            for row in shown
        ),
        cause="Nearly all labels are at one end: a loss over rows is small as soon as every prediction is there, and "
        "the rare rows hardly change it. Yet the Spearman of such a target counts as much as any other.",
        fix=Fix(CLASS_AWARE),
        reference="Google QUEST, question_type_spelling; Lin et al. 2017, arXiv:1708.02002",
        weight=1 - rarest,
    )
