"""What budgets of tokens per field cut off rated texts, though other fields of the row left tokens unused."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import DataRecords

# Share of all tokens that fixed budgets lose beyond what sharing loses. Below it hardly a sentence per row is at stake.
LEAST = 0.05


def fixed_allocation_truncates(data: DataRecords) -> Iterator[Finding]:
    """Tokens cut in one field while another one's budget stays empty."""
    if "rating_fields" not in data.tables:
        return
    table = data.tables["rating_fields"]
    share_F = table["tokens_mean"] / table["tokens_mean"].sum()
    lost, adaptive = (float((share_F * table[name]).sum()) for name in ("share_lost", "share_lost_adaptive"))
    if not lost - adaptive >= LEAST:
        return
    worst = table.iloc[int((table["share_lost"] - table["share_lost_adaptive"]).argmax())]
    yield Finding(
        code="fixed-allocation-truncates",
        severity="warning",
        system="ratings",
        sentence=f"Fixed token budgets cut {lost:.0%} of the text, {lost - adaptive:.0%} while other fields of the row "
        f"left tokens unused; of the {worst['field']}s {worst['share_lost']:.0%} is lost.",
        evidence=(
            Evidence("tokens lost", lost, "share"),
            Evidence("tokens lost where fields share the same sum", adaptive, "share"),
            *(
                Evidence(f"rows whose {name} is cut", float(cut), "share")
                for name, cut in zip(table["field"], table["rows_cut"], strict=True)
            ),
        ),
        cause="Each field has its own number of tokens: a short title or question wastes what a long answer lacks.",
        fix=Fix({"prepare.ratings.allocation": "adaptive"}),
        reference="public QUEST solutions trim fields by what the others leave; HF#1666",
        weight=100 * (lost - adaptive),
    )
