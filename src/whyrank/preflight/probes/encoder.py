"""An encoder that is read in a way that it was not made for: by another tokenizer, or another pooling."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.measure.significance.statistics import mean_interval

# Shares of the pieces that are unknown. Chat with its signs and symbols stays far below; from a third on a text is a
# row of gaps.
UNKNOWN, UNKNOWN_MOST = 0.05, 0.30
# Embeddings beyond the vocabulary. Tables are padded to round numbers, by 1 % as a rule, and never by this.
SPARE, SPARE_ROWS = 1.25, 1000
# Share of a vocabulary's pieces with a capital, from which it was learnt from texts with capitals.
CASED_VOCABULARY = 0.05
# Share of the words with a capital, from which it matters.
CASED = 0.01
# Share of the pieces with the vocabulary's mark (##) in words that need it: 0.4 and more.
MARKED = 0.02

# Reciprocal rank. Another pooling always changes some ranks; less than a point is no reason to change anything.
LEAST_GAIN = 0.01
# Of the interval, which is the usual one however the final comparisons are made.
LEVEL, RESAMPLES = 0.95, 2000

MATCHING = "put the tokenizer files that came with the weights (tokenizer.json, tokenizer_config.json) beside them"


@probe(
    "tokenizer-mismatch",
    on="preflight",
    explains=("similarity-worse-than-zero-shot", "worse-than-lexical"),
    layer="encoder",
)
def tokenizer_mismatch(data: DataRecords) -> Iterator[Finding | Outcome]:
    """At most one finding: what is unknown most, else how vocabulary and embeddings go together."""
    table = data.table("tokenizer")
    if table.empty:
        yield not_applicable("prepare", "texts read by a tokenizer")
        return
    worst, first = table.iloc[int(table["unknown"].argmax())], table.iloc[0]
    cased = float((table["cased"] * table["pieces"]).sum() / max(table["pieces"].sum(), 1))
    folds = first["lower_cases"] and first["cased_vocabulary"] >= CASED_VOCABULARY and cased >= CASED
    vocabulary, rows = int(first["vocabulary"]), int(first["embeddings"])
    if worst["unknown"] >= UNKNOWN:
        has_capitals = first["cased_vocabulary"] >= CASED_VOCABULARY
        without_capitals = not first["lower_cases"] and not has_capitals and cased >= CASED
        yield _finding(
            table,
            f"The tokenizer does not know {100 * worst['unknown']:.0f} % of the pieces of the {worst['kind']}s.",
            "Its vocabulary has no capitals, and it does not lower-case the texts."
            if without_capitals
            else "The texts are written in letters or signs that its vocabulary does not have.",
            MATCHING
            if without_capitals
            else "take an encoder made for this language; encoder.source=scratch learns a vocabulary from the answers",
            float(worst["unknown"]),
        )
    elif not vocabulary <= rows <= max(SPARE * vocabulary, vocabulary + SPARE_ROWS):
        yield _finding(
            table,
            f"The tokenizer has {vocabulary} pieces, the encoder {rows} embeddings.",
            "Tokenizer and encoder do not belong together: a piece gets the embedding of another one.",
            MATCHING,
        )
    elif float(first.get("marked", 1.0)) < MARKED:
        mark = first["mark"]
        yield _finding(
            table,
            f"The tokenizer never uses the pieces of its vocabulary that begin with {mark}.",
            f"It lost its setting for {mark}, which tells the rest of a word from its beginning: words are cut into "
            "pieces of other words, or of letters.",
            MATCHING,
            lost=True,
        )
    elif folds:
        yield _finding(
            table,
            f"The tokenizer lower-cases all text, though {100 * first['cased_vocabulary']:.0f} % of its pieces have a "
            "capital.",
            "The encoder was trained with capitals: names and abbreviations no longer get the pieces that it knows.",
            MATCHING,
        )
    else:
        yield passed("prepare", percent(f"unknown pieces of {worst['kind']}s", worst["unknown"]), 100 * UNKNOWN)


def _finding(
    table: pd.DataFrame, sentence: str, cause: str, action: str, unknown: float = 0.0, *, lost: bool = False
) -> Finding:
    first, is_error = table.iloc[0], lost or unknown >= UNKNOWN_MOST
    return Finding(
        severity="error" if is_error else "warning",
        system="prepare",
        sentence=sentence,
        evidence=(
            *(
                percent(f"unknown pieces of {kind}s", value).where_from(100 * UNKNOWN)
                for kind, value in _by_kind(table, "unknown")
            ),
            *(Evidence(f"pieces per word of {kind}s", value) for kind, value in _by_kind(table, "pieces_per_word")),
            Evidence("pieces of the vocabulary", int(first["vocabulary"]), "pieces"),
            Evidence("embeddings", int(first["embeddings"]), "rows"),
            percent("pieces of the vocabulary with a capital", float(first["cased_vocabulary"])),
        ),
        cause=cause,
        fix=Fix({}, action),
        reference="HF#27583, #2468; silnlp#1053",
        weight=100 * unknown + (CAUSE if is_error else 0.0),
    )


def _by_kind(table: pd.DataFrame, column: str) -> Iterator[tuple[str, float]]:
    return ((str(kind), float(value)) for kind, value in zip(table["kind"], table[column], strict=True))


@probe(
    "pooling-mismatch",
    on="preflight",
    explains=("collapsed-embeddings", "worse-than-lexical", "rogue-dimensions", "cone"),
    about="ranking",
    layer="encoder",
)
def pooling_mismatch(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The pooling in use ranks training queries worse than the one that is declared or, where none is, than another."""
    table = data.table("pooling")
    if table.empty:
        yield not_applicable("prepare", "an encoder that may be read by another pooling, and training queries")
        return
    used, declared = str(table["used"].iloc[0]), str(table["declared"].fillna("").iloc[0])
    means = table.drop(columns=["query_id", "answer_id", "used", "declared"]).mean()
    is_named = declared not in ("", used)
    better = declared if is_named else str(means.idxmax())
    # The best of two others was picked: half of the error is left for each.
    level = LEVEL if is_named else 1 - (1 - LEVEL) / (len(means) - 1)
    lost = mean_interval(table[better] - table[used], table["answer_id"], resamples=RESAMPLES, seed=0, level=level)
    # Also where the bounds are undefined, with one answer.
    if not (lost.low > 0 and lost.mean >= LEAST_GAIN):
        points = Evidence(f"MRR with `{better}` less that with `{used}`", 100 * lost.mean, "points")
        if lost.mean >= LEAST_GAIN:
            yield too_little("prepare", f"{len(table)} training queries do not tell this from luck", points)
        else:
            yield passed("prepare", points, 100 * LEAST_GAIN)
        return
    yield Finding(
        system="prepare",
        sentence=f"With `{used}` pooling the encoder ranks {len(table)} training queries {100 * lost.mean:.1f} points "
        f"of MRR [{100 * lost.low:.1f}, {100 * lost.high:.1f}] worse than with `{better}`"
        + (
            ", which its files declare." if is_named else f"; its files declare {(declared and f'`{used}`') or 'none'}."
        ),
        evidence=tuple(
            Evidence(
                f"MRR with {name} pooling", float(mean), threshold=means[better] - LEAST_GAIN if name == used else None
            )
            for name, mean in means.items()
        ),
        cause="An encoder puts the meaning of a text where its training reads it: in the first token, the mean, or the "
        "largest values. Another pooling finds only a part of it.",
        fix=Fix({"encoder.pooling": "auto" if is_named else better}),
        reference="FE#283; AnglE#68; FastChat#2926",
        interval=(100 * lost.low, 100 * lost.high),
        weight=100 * lost.mean,
    )
