"""What selection to the token budget lost, by kind of text."""

import math
from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.records import DataRecords

KINDS = ("question", "conversation", "answer")

# Shares of the TF-IDF mass, which counts the words that tell texts apart, not the tokens. The seed project lost nothing
# with 128 tokens instead of 512, so a loss is only worth a word from a quarter on, and a warning from half on.
LOST = 0.25
LOST_MOST = 0.50

# Positions of BERT-family encoders.
LONGEST = 512
# [CLS] and [SEP], which budgets in params.yaml include and recorded lengths do not.
SPECIAL = 2
ROUND_TO = 32
# A budget that holds this share of the texts whole.
WHOLE = 0.95


def truncation_loses_evidence(data: DataRecords) -> Iterator[Finding]:
    """Kinds of text that lost much of their TF-IDF mass."""
    for _, finding in losses(data):
        yield finding


def losses(data: DataRecords) -> Iterator[tuple[str, Finding]]:
    """kind of text, finding"""
    for kind in KINDS:
        lost = data.metrics.get(f"tfidf_lost_share_{kind}", 0.0)
        if lost < LOST:
            continue
        tokens, texts = data.metrics[f"tokens_lost_share_{kind}"], data.metrics[f"texts_cut_share_{kind}"]
        yield (
            kind,
            Finding(
                code="truncation-loses-evidence",
                severity="warning" if lost >= LOST_MOST else "info",
                system="data",
                sentence=f"Selection to the token budget lost {lost:.0%} of the TF-IDF mass of the {kind}s.",
                evidence=(
                    Evidence(f"TF-IDF mass of {kind}s lost", lost, "share"),
                    Evidence(f"tokens of {kind}s lost", tokens, "share"),
                    Evidence(f"{kind}s cut", texts, "share"),
                ),
                cause=f"The {kind}s are longer than their token budget; what was cut never reaches the encoder.",
                fix=_fix(kind, texts_of(data, kind)),
                reference="ST#4060, #285, #181; HF#1666",
                weight=lost,
            ),
        )


def texts_of(data: DataRecords, kind: str) -> pd.DataFrame:
    return data.answers if kind == "answer" else data.queries[data.queries["type"] == kind]


def _fix(kind: str, texts: pd.DataFrame) -> Fix:
    """A larger budget while the encoder has positions left; then better selection; then shorter texts."""
    budget = int(texts["tokens"].max()) + SPECIAL
    wanted = math.ceil((texts["tokens_raw"].quantile(WHOLE) + SPECIAL) / ROUND_TO) * ROUND_TO
    # Whole words fill a budget to within some tokens.
    if budget <= LONGEST - ROUND_TO:
        return Fix({f"prepare.tokens.{kind}": min(max(wanted, budget), LONGEST)})
    cut = texts[texts["tokens"] < texts["tokens_raw"]]
    from_start = [raw.startswith(text) for raw, text in zip(cut["raw_text"], cut["text"], strict=True)]
    if sum(from_start) > len(cut) / 2:
        return Fix({f"prepare.selection.{kind}": "tfidf"})
    return Fix({}, f"split long {kind}s: the budget is already what a BERT-family encoder can read")
