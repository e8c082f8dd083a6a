"""Weights that belong to no trained encoder: damaged ones, and embeddings of other pieces.

Every check here reads the weights, or what they make of a few texts; no label enters.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords, rows_of
from whyrank.measure.significance.resampling import Interval
from whyrank.preflight.probes import layer_faults as layers
from whyrank.preflight.probes import layer_values
from whyrank.preflight.probes.attention_faults import attending
from whyrank.preflight.probes.beside_tfidf import (
    LEAST_ANSWERS,
    LEVEL,
    behind_tfidf,
    interval,
    measured_behind,
    worse_by,
)
from whyrank.preflight.probes.layer_faults import LEAST_PAIRS, NEARER, WHOLE, Fault

# Reciprocal rank by which the embeddings alone find more halves than the whole encoder.
LOST = 0.05
# Reciprocal rank that the layers add to the embeddings in finding halves: 0.15 to 0.34 of sentence encoders on three
# sets, at most 0.10 of damaged ones that rank training queries far behind TF-IDF (sound ones there add 0.18).
ADDED = 0.10
# Of the reciprocal rank of TF-IDF: 0.78 to 1.1 of it reach sentence encoders on the three sets here.
FAR_BEHIND = 0.7

SYMPTOMS = (
    *("worse-than-lexical", "worse-than-zero-shot", "collapsed-embeddings", "dimensional-collapse", "hub-answers"),
    *("encoder-at-chance", "underfitted", "tuning-brought-nothing", "cone", "rogue-dimensions", "unequal-norms"),
    *("queries-apart-from-answers", "pooling-mismatch", "similarity-worse-than-zero-shot", "question-conversation-gap"),
    *("ties-decide-the-metric", "ties-by-precision", "cannot-learn-by-heart", "gradient-vanishes"),
    # Its estimate is of what rankers without labels agree on, this one among them.
    "wrong-labels",
)


@probe("layer-does-nothing", on="preflight", explains=("encoder-damaged", *SYMPTOMS), layer="encoder")
def layer_does_nothing(data: DataRecords) -> Iterator[Finding | Outcome]:
    """A layer that hands on what it got, gives every token the same, is another's copy, or lacks a part."""
    table = data.table("encoder_layers")
    if table.empty:
        yield not_applicable("prepare", "an encoder whose layers are a list of like modules")
        return
    if layers.is_untrained(data):
        yield not_applicable("prepare", "a trained encoder")
        return
    faults = [
        *layers.alike(
            table, "change", layers.STANDS_STILL, "hands on its input as it is", "change of a token's vector"
        ),
        *layers.alike(
            table, "spread", layers.ALL_ALIKE, "gives every token the same vector", "spread of the tokens' vectors"
        ),
        *layers.copies(table),
        *layers.zeroed(table, ("attention_output", "feed_forward_in", "feed_forward_out")),
    ]
    yield from layers.finding(
        table, faults, "does nothing", passed("prepare", layers.least_of(table, "change"), layers.STANDS_STILL)
    )


@probe("encoder-damaged", on="preflight", explains=SYMPTOMS, layer="encoder")
def encoder_damaged(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Weights that do not fit each other or stand out from those of the other layers, else what no half finds."""
    table = data.table("encoder_layers")
    if layers.is_untrained(data):
        yield _untrained(data)
        return
    faults = [
        *layers.zeroed(table, ("query", "key", "value")),
        *layers.unfit(data),
        *layers.gains(table),
        *layers.overgrown(table),
        *layers.rounded(table),
        *layers.turned(table),
        *attending(table),
        *layer_values.foreign(table),
        *layer_values.pruned(table),
        *_positions(data),
    ]
    if table.empty:
        yield not_applicable("prepare", "an encoder whose layers are a list of like modules")
    elif faults:
        yield from layers.finding(table, faults, "is damaged", None)
    yield from _halves(data, is_told=bool(faults))


@probe(
    "embeddings-scrambled",
    on="preflight",
    explains=("encoder-damaged", "tokenizer-mismatch", *SYMPTOMS),
    layer="encoder",
)
def embeddings_scrambled(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Pieces of one word (dog, dogs) lie near in every trained table; where they do not, rows are not theirs."""
    table = data.table("encoder_pieces")
    nearer, pairs = layers.nearer_of(table)
    if layers.is_untrained(data):
        yield not_applicable("prepare", "trained embeddings")
        return
    if pairs < LEAST_PAIRS:
        yield too_little("prepare", f"{pairs} pairs of related pieces in the vocabulary; {LEAST_PAIRS} would tell")
        return
    low, high = stats.binomtest(round(nearer * pairs), pairs).proportion_ci(LEVEL)
    measured = percent("pairs of related pieces that are nearer than others", nearer)
    if high >= NEARER:
        yield passed("prepare", measured, 100 * NEARER)
        return
    yield Finding(
        severity="error",
        system="prepare",
        sentence=f"Of {pairs} pairs of related pieces (dog, dogs) of the vocabulary only {100 * nearer:.0f} % have "
        f"nearer embeddings than pieces that are not related [{100 * low:.0f}, {100 * high:.0f}]: by chance it is "
        "50 %, in a trained encoder above 90 %.",
        evidence=(
            measured.against(100 * NEARER),
            Evidence("mean cosine of related pieces", float(layers.of_words(table)["related"].mean())),
        ),
        cause="Pieces get the embeddings of other pieces: the tokenizer is that of another encoder, or the rows of the "
        "embeddings were moved or overwritten.",
        fix=Fix({}, "put the tokenizer files that came with the weights beside them; if they are there, " + WHOLE),
        reference="Mikolov et al. 2013; HF#2468",
        interval=(100 * low, 100 * high),
        weight=CAUSE + 100 * (1 - nearer),
    )


def _untrained(data: DataRecords) -> Finding:
    table = data.table("encoder_layers")
    fits, (nearer, _) = layers.fits_of(table), layers.nearer_of(data.table("encoder_pieces"))
    is_made_here = bool(table.get("made_here", pd.Series([False])).iloc[0])
    if len(fits):
        measured = Evidence("median fit of weights", float(np.median(fits)), "of chance").against(layers.INDEPENDENT)
        told = (
            f"no two of its weights were learnt together (their fit is {measured.value:.1f}; 1 by chance, above 8 in "
        )
    else:
        measured = percent("pairs of related pieces that are nearer than others", nearer).against(100 * NEARER)
        told = (
            f"its embeddings know no related pieces ({measured.value:.0f} % are nearer; 50 % by chance, above 90 % in "
        )
    queries = behind_tfidf(data)
    against = "" if queries is None else f", and it ranks training queries {worse_by(queries)} than TF-IDF"
    return Finding(
        severity="info" if is_made_here and queries is None else "warning",
        system="prepare",
        sentence=f"The encoder is untrained: {told}trained encoders){against}.",
        evidence=(measured, *(() if queries is None else (measured_behind(queries),))),
        cause="`encoder.source` is `scratch`, which starts from random weights."
        if is_made_here
        else "Its weights are as an initialisation draws them: they were saved before training, or not loaded.",
        fix=Fix({"encoder.source": "embedded"}),
        reference="Devlin et al. 2019; Glorot and Bengio 2010",
        weight=10.0 if queries is None else CAUSE - 100 * queries.mean,
    )


def _positions(data: DataRecords) -> Iterator[Fault]:
    table = data.table("encoder_pieces")
    for row in rows_of(table[table["relation"] == "neighbours"]) if len(table) else ():
        is_zero = row.related == row.random == 0.0
        if row.nearer < NEARER and row.pairs >= LEAST_PAIRS and not is_zero:
            told = f"positions that follow each other have no nearer embeddings than others ({100 * row.nearer:.0f} %)"
            yield Fault(
                [], told, percent("following positions that are nearer", row.nearer).against(100 * NEARER), "error"
            )


def _halves(data: DataRecords, *, is_told: bool) -> Iterator[Finding | Outcome]:
    """The whole encoder against its own embeddings, and against chance."""
    table = data.table("encoder_halves")
    if len(table) < LEAST_ANSWERS:
        yield too_little("prepare", f"{len(table)} answers long enough to be cut in two; {LEAST_ANSWERS} would tell")
        return
    lost = interval(table, table["embeddings"] - table["encoder"])
    behind = interval(table, FAR_BEHIND * table["shared_words"] - table["encoder"])
    means = table[["encoder", "embeddings", "shared_words", "edited"]].mean()
    is_lost = lost.low > 0 and lost.mean >= LOST
    if is_told:
        return
    if not is_lost and lost.high >= 0 and lost.mean > -ADDED and (queries := behind_tfidf(data)) is not None:
        yield _adds_nothing(lost, queries, means)
        return
    if not is_lost and (behind.low <= 0 or lost.high < 0):
        measured = Evidence("MRR of the other half by the encoder, less that by its embeddings", -lost.mean)
        yield passed("prepare", measured, -LOST)
        return
    against = "the mean of its own word embeddings" if is_lost else "TF-IDF"
    than = means["embeddings"] if is_lost else means["shared_words"]
    yield Finding(
        severity="error" if is_lost and means["encoder"] < 0.5 * than else "warning",
        system="prepare",
        sentence=f"The encoder finds the other half of an answer with an MRR of {means['encoder']:.2f}, {against} with "
        f"{than:.2f}: its layers "
        + (
            f"lose {100 * lost.mean:.0f} points [{100 * lost.low:.0f}, {100 * lost.high:.0f}] of what the words say."
            if is_lost
            else f"add nothing to its word embeddings, which reach {means['embeddings']:.2f}."
        ),
        evidence=(
            Evidence("MRR of the other half by encoder", float(means["encoder"])).against(
                than - LOST if is_lost else FAR_BEHIND * than
            ),
            *(
                Evidence(f"MRR of the other half by {name}", float(means[name]))
                for name in ("embeddings", "shared_words")
            ),
            Evidence("MRR of a half by itself without a word", float(means["edited"])),
        ),
        cause="Its layers are damaged, in another order, or of another encoder; or it was never trained to embed "
        "texts, as one that only fills in masked words.",
        fix=Fix({}, WHOLE + "; or take a sentence encoder"),
        reference="Reimers and Gurevych 2019, arXiv:1908.10084, table 1",
        interval=(100 * lost.low, 100 * lost.high),
        weight=100 * max(lost.mean, behind.mean),
    )


def _adds_nothing(lost: Interval, queries: Interval, means: pd.Series) -> Finding:
    return Finding(
        system="prepare",
        sentence=f"The layers of the encoder add next to nothing: it finds the other half of an answer with an MRR of "
        f"{means['encoder']:.2f}, the mean of its own word embeddings with {means['embeddings']:.2f}, and it ranks "
        f"training queries {worse_by(queries)} than TF-IDF.",
        evidence=(
            Evidence("MRR of the other half by encoder", float(means["encoder"])).against(means["embeddings"] + ADDED),
            *(
                Evidence(f"MRR of the other half by {name}", float(means[name]))
                for name in ("embeddings", "shared_words")
            ),
            measured_behind(queries),
        ),
        cause="Its layers are damaged, in another order, read with another configuration (heads, activation, epsilon), "
        "or of another encoder; or it was never trained to embed texts.",
        fix=Fix({}, WHOLE + "; or take a sentence encoder"),
        reference="Reimers and Gurevych 2019, arXiv:1908.10084, table 1",
        interval=(100 * queries.low, 100 * queries.high),
        weight=100 * max(lost.mean, -queries.mean),
    )
