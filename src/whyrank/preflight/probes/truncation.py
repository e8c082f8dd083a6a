"""Texts that are longer than their token budget: how much of what tells them apart was cut, by kind of text."""

import math
from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.selections import Better, better

KINDS = ("question", "conversation", "answer")

# Shares of the TF-IDF mass, which counts the words that tell texts apart, not the tokens. The seed project lost nothing
# with 128 tokens instead of 512, so a loss is reported from a quarter on, and a warning from half on.
LOST = 0.25
LOST_MOST = 0.50

# Share of the texts that another limit cuts once more; of healthy ones none.
UNREAD = 0.05

# Positions of BERT-family encoders.
LONGEST = 512
# [CLS] and [SEP], which budgets in params.yaml include and recorded lengths do not.
SPECIAL = 2
ROUND_TO = 32
# A budget that holds this share of the texts whole.
WHOLE = 0.95


SYMPTOMS = ("cannot-learn-by-heart", "learns-shuffled-labels", "encoder-at-chance", "question-conversation-gap")


@probe("truncation-loses-evidence", on="preflight", layer="data", explains=SYMPTOMS)
def truncation_loses_evidence(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Kinds of text that lost much of their TF-IDF mass to the budget, or tokens to another limit behind it."""
    found = unread(data) or losses(data)
    yield from found.values()
    if not found:
        most = max(data.metrics.get(f"tfidf_lost_share_{kind}", 0.0) for kind in KINDS)
        yield passed("data", percent("TF-IDF mass that was cut, of the kind that lost most", most), 100 * LOST)


def unread(data: DataRecords) -> dict[str, Finding]:
    """By kind of text, where the encoder gets fewer tokens of some than `prepare` kept."""
    return {kind: found for kind in KINDS if (found := _unread(data, kind)) is not None}


def _unread(data: DataRecords, kind: str) -> Finding | None:
    texts = data.answers if kind == "answer" else data.queries[data.queries["type"] == kind]
    if "input_ids" not in texts or not len(texts):
        return None
    read, kept = texts["input_ids"].map(len), texts["tokens"]
    share = float((read < kept).mean())
    if share < UNREAD:
        return None
    return Finding(
        severity="error",
        system="data",
        sentence=f"The encoder reads {read.mean():.0f} tokens of a {kind} where prepare kept {kept.mean():.0f}: "
        f"{100 * share:.0f} % of the {kind}s are cut once more.",
        evidence=(
            percent(f"{kind}s of which fewer tokens are read than were kept", share).against(100 * UNREAD),
            Evidence("tokens read, mean", float(read.mean()), "tokens"),
            Evidence("tokens kept, mean", float(kept.mean()), "tokens"),
        ),
        cause=f"Not the budget of the {kind}s cuts them but another limit behind it, of the tokenizer or of the code "
        "that calls it: the encoder never sees what was cut.",
        fix=Fix({}, "look for max_length in tokenizer_config.json and where texts are tokenised"),
        reference="ST#285; HF#1666",
        weight=CAUSE * share,
    )


def losses(data: DataRecords) -> dict[str, Finding]:
    """By kind of text."""
    shares = {kind: data.metrics.get(f"tfidf_lost_share_{kind}", 0.0) for kind in KINDS}
    return {kind: _loss(data, kind, lost) for kind, lost in shares.items() if lost >= LOST}


def _loss(data: DataRecords, kind: str, lost: float) -> Finding:
    texts = data.answers if kind == "answer" else data.queries[data.queries["type"] == kind]
    if 0 < (texts["tokens"] < texts["tokens_raw"]).mean() <= 1 - WHOLE:
        return _few(data, kind, lost, texts)
    compared = better(data, kind)
    return Finding(
        severity="warning" if lost >= LOST_MOST else "info",
        system="data",
        sentence=f"Cutting to the token budget lost {100 * lost:.0f} % of the TF-IDF mass of the {kind}s.",
        evidence=(
            percent(f"TF-IDF mass of {kind}s that was cut", lost).against(100 * LOST),
            percent(f"tokens of {kind}s that were cut", data.metrics[f"tokens_lost_share_{kind}"]),
            percent(f"{kind}s that were cut", data.metrics[f"texts_cut_share_{kind}"]),
            *(compared.evidence if compared else ()),
        ),
        cause=f"The {kind}s are longer than their token budget; the encoder never sees what was cut.",
        fix=larger_budget(kind, texts) or _another_way(kind, compared),
        reference="ST#4060, #285, #181; HF#1666",
        weight=lost,
    )


def _few(data: DataRecords, kind: str, lost: float, texts: pd.DataFrame) -> Finding:
    """A pasted log is not a matter of the budget of all the others."""
    cut = texts[texts["tokens"] < texts["tokens_raw"]]
    longest = cut.sort_values("tokens_raw").iloc[-1]
    name = longest["answer_id" if kind == "answer" else "query_id"]
    return Finding(
        severity="info",
        system="data",
        sentence=f"{len(cut)} of {len(texts)} {kind}s are longer than the token budget; what is cut of them is "
        f"{100 * lost:.0f} % of the TF-IDF mass of all. The longest, '{name}', has {longest['tokens_raw']} tokens; the "
        "others are read whole.",
        evidence=(
            percent(f"{kind}s that were cut", data.metrics[f"texts_cut_share_{kind}"]),
            percent(f"TF-IDF mass of {kind}s that was cut", lost).against(100 * LOST),
            Evidence("tokens of the longest", int(longest["tokens_raw"]), "tokens"),
        ),
        cause="Few texts are very long, as a pasted log is. The encoder reads the part of them that is kept.",
        fix=Fix({}, f"keep of '{name}' what says what it is about, if its beginning does not"),
        reference="ST#364; HF#1666",
    )


def larger_budget(kind: str, texts: pd.DataFrame) -> Fix | None:
    """While the encoder has positions left."""
    budget = int(texts["tokens"].max()) + SPECIAL
    wanted = math.ceil((texts["tokens_raw"].quantile(WHOLE) + SPECIAL) / ROUND_TO) * ROUND_TO
    # Whole words fill a budget to within some tokens: the fix is above the budget in use, whatever that is.
    above = math.ceil((budget + ROUND_TO / 2) / ROUND_TO) * ROUND_TO
    return Fix({f"prepare.tokens.{kind}": min(max(wanted, above), LONGEST)}) if budget <= LONGEST - ROUND_TO else None


def _another_way(kind: str, compared: Better | None) -> Fix:
    """To cut, where the encoder surely ranks better with it; else shorter texts."""
    if compared and compared.is_sure:
        return Fix({f"prepare.selection.{kind}": compared.way})
    known = f"; of the ways to cut, none ranks surely better: {compared.spoken}" if compared else ""
    return Fix({}, f"split long {kind}s: the budget is already what a BERT-family encoder can read{known}")
