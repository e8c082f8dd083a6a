"""A vector must be that of its text: the same each time, in any batch, by the order of words, between its tokens."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed, too_little
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.layer_faults import are_places_lost, are_tokens_alike, is_untrained

# Cosines. The same call gives the same bits on a processor, and differs in the last ones on a GPU.
AGAIN = 0.9999
# Here equal to the last bit in every batch, in float32 and bfloat16; kernels of other machines may round otherwise.
SAME = 0.999
# 1 - cosine in float32: 0.06 and more of trained encoders, 1e-4 of untrained ones, below 1e-6 without positions.
ORDER = 1e-5
LEAST_TEXTS = 5
# Share of the texts.
FRAMED = 0.99

ALL = (
    *("worse-than-lexical", "worse-than-zero-shot", "encoder-at-chance", "underfitted", "tuning-brought-nothing"),
    *("pooling-mismatch", "half-precision-changes-ranks", "evaluation-differs-from-training", "reload-changes-vectors"),
)


@probe("vector-not-repeatable", on="preflight", explains=("vector-depends-on-batch", *ALL), layer="encoder")
def vector_not_repeatable(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The same call twice."""
    table = data.table("encoder_repeats")
    if table.empty:
        yield not_applicable("prepare", "texts that were encoded twice")
        return
    least = Evidence("least cosine of a text with itself, encoded twice", float(table["again"].min()))
    if least.value >= AGAIN:
        yield passed("prepare", least, AGAIN)
        return
    yield Finding(
        severity="error",
        system="prepare",
        sentence=f"Encoded twice, {int((table['again'] < AGAIN).sum())} of {len(table)} texts get another vector; the "
        f"least like has a cosine of {least.value:.3f} with itself.",
        evidence=(least.against(AGAIN), Evidence("mean cosine", float(table["again"].mean()))),
        cause="Something random is left on while texts are encoded, as a rule dropout: the encoder is in training mode "
        "or its code applies dropout in either.",
        fix=Fix(
            {},
            "call eval() on the encoder before it encodes, and give F.dropout its `training`; of code that came "
            "with the encoder, set encoder.trust_remote_code=false",
        ),
        reference="transformers#33844; opensearch ml-commons#4744",
        weight=CAUSE + 100 * (1 - least.value),
    )


@probe("vector-depends-on-batch", on="preflight", explains=ALL, layer="encoder")
def vector_depends_on_batch(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Alone, beside other texts, and by the library's own forward pass."""
    table = data.table("encoder_repeats")
    if table.empty:
        yield not_applicable("prepare", "texts that were encoded in several batches")
        return
    least = table[["regrouped", "alone", "library"]].min()
    ways = {
        "regrouped": "beside other texts and in another order",
        "alone": "in a batch of its own",
        "library": "by transformers' own forward pass of the text alone",
    }
    evidence = tuple(
        Evidence(f"least cosine, {told}", float(least[way])).where_below(SAME) for way, told in ways.items()
    )
    worst = str(least.idxmin())
    if least[worst] >= SAME:
        yield passed(
            "prepare", Evidence("least cosine of a text with itself in another batch", float(least[worst])), SAME
        )
        return
    (differ,) = (table[worst] < SAME).to_numpy().nonzero()
    asked = int(table[worst].notna().sum())
    is_ours = worst == "library" and min(least["regrouped"], least["alone"]) >= SAME
    yield Finding(
        severity="error" if least[worst] < 0.99 else "warning",
        system="prepare",
        sentence=f"A text's vector depends on how it is encoded: {len(differ)} of {asked} texts differ {ways[worst]}, "
        f"down to a cosine of {least[worst]:.3f} with themselves.",
        evidence=(*evidence, Evidence("mean tokens of texts that differ", float(table["tokens"].iloc[differ].mean()))),
        cause="The encoder runs otherwise than its architecture is written: positions, attention or pooling of its "
        "batches are not those of a text alone."
        if is_ours
        else "Tokens see or are pooled with what is not of their text: the attention mask is ignored or inverted, "
        "padding stands on the other side, or the last token is taken where padding stands.",
        fix=Fix(
            {},
            "compare attention mask, padding side and pooling with the encoder's own code; until then "
            "encoder.batch_tokens=1 encodes each text alone",
        ),
        reference="Echo#24 (hit@5 7 → 34 %); ST#3208; text-embeddings-inference#883",
        weight=CAUSE + 100 * (1 - float(least[worst])),
    )


@probe(
    "word-order-ignored",
    on="preflight",
    explains=(*ALL, "encoder-damaged", "layer-does-nothing", "cone", "ties-decide-the-metric", "cannot-learn-by-heart"),
    layer="encoder",
)
def word_order_ignored(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The tokens of a text in another order, which no encoder with positions takes for the same text."""
    table = data.table("encoder_halves")
    moved = table["moved"].dropna() if len(table) else pd.Series(dtype=float)
    if len(moved) < LEAST_TEXTS:
        yield too_little("prepare", f"{len(moved)} answers of which words could be moved; {LEAST_TEXTS} would tell")
        return
    measured = Evidence("largest distance of a text from itself with its tokens in another order", float(moved.max()))
    if is_untrained(data):
        yield not_applicable("prepare", "a trained encoder: relative positions are hardly seen before training")
        return
    if are_tokens_alike(data) and not are_places_lost(data):
        yield not_applicable("prepare", "an encoder whose tokens get different vectors")
        return
    if measured.value >= ORDER:
        yield passed("prepare", measured, ORDER)
        return
    yield Finding(
        severity="error",
        system="prepare",
        sentence=f"The encoder does not see the order of words: {len(moved)} texts whose tokens were moved "
        f"keep their vectors (1 - cosine at most {measured.value:.0e}; 0.06 and more in trained encoders).",
        evidence=(measured.against(ORDER),),
        cause="The position embeddings are zero or all the same, or every token gets the same position.",
        fix=Fix({}, "bring the encoder's files once more, and check position_embeddings and position_ids"),
        reference="Vaswani et al. 2017, section 3.5; Sinha et al. 2021, arXiv:2104.06644",
        weight=CAUSE + 15,
    )


@probe("special-tokens-missing", on="preflight", explains=ALL, layer="encoder")
def special_tokens_missing(data: DataRecords) -> Iterator[Finding | Outcome]:
    """[CLS] before and [SEP] behind each text, once, where the encoder was trained so."""
    table = data.table("encoder_specials")
    if table.empty:
        yield not_applicable("prepare", "an encoder whose texts stand between two special tokens")
        return
    first, last, pooling = (str(table[name].iloc[0]) for name in ("first", "last", "pooling"))
    shares = {f"begin with {first}": table["begins"], f"end with {last}": table["ends"]}
    shares[f"have {first} only once at their start"] = 1 - table["doubled"]
    worst = min(shares, key=lambda name: float(shares[name].min()))
    kind = str(table["kind"].iloc[int(shares[worst].to_numpy().argmin())])
    share = float(shares[worst].min())
    if share >= FRAMED:
        yield passed("prepare", percent(f"texts of a kind that {worst}, at least", share), 100 * FRAMED)
        return
    reads = {"cls": float(table["begins"].min()), "lasttoken": float(table["ends"].min())}
    is_read = any(name in pooling.split("+") and of < FRAMED for name, of in reads.items())
    yield Finding(
        severity="error" if is_read else "warning",
        system="prepare",
        sentence=f"{100 * share:.0f} % of the texts of kind {kind} {worst}, as all did in the encoder's training.",
        evidence=tuple(
            percent(f"texts of a kind that {name}, at least", float(of.min())).where_below(100 * FRAMED)
            for name, of in shares.items()
        ),
        cause="The tokenizer does not add them as the encoder's own does"
        + (f", and `{pooling}` pooling reads the token that is not there: " if is_read else ": ")
        + "its files lack the post-processor, or texts are tokenised without or twice with special tokens.",
        fix=Fix(
            {},
            "put tokenizer.json of the encoder's authors beside the weights, and tokenise with add_special_tokens=True",
        ),
        reference="Devlin et al. 2019, section 3; HF#2468",
        weight=CAUSE + 20 if is_read else 10.0,
    )
