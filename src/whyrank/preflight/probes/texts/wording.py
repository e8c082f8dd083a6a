"""What takes the place of content in what the encoder reads: shared text, markup, damage."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.texts.figure import (
    ALIKE,
    BORROWED,
    READ,
    TEMPLATE,
    TRAINING,
    below,
    borrowed,
    figure,
    kinds_of,
    no_texts,
    rows_file,
)

# Share of the words in runs of four that a tenth of the texts have. Real texts: 4 % at most.
SHARED = 0.20
# Share of the characters in tags, entities, addresses and JSON. Real texts: 4 % at most.
MARKUP = 0.15
# Of what is read of the answers, from which on they are mostly other answers.
MOST_BORROWED = 0.50


@probe(
    "boilerplate",
    on="preflight",
    layer="data",
    explains=(
        *TRAINING,
        *ALIKE,
        *READ,
        "collapsed-embeddings",
        "truncation-loses-evidence",
        "cut-loses-end",
        "duplicate-across-splits",
        "overlapping-texts",
    ),
)
def boilerplate(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Text that many texts of a kind share and that takes much of what the encoder reads; the kind with the most."""
    kinds = kinds_of(data, "shared_words")
    found = {kind: shared for kind in kinds if (shared := figure(data, "shared_words", kind)) is not None}
    if not found:
        yield no_texts()
        return
    # A kind as a whole is named before one of its splits, unless that has clearly more.
    kind = max(found, key=lambda name: found[name].value - 0.1 * (" " in name))
    shared, holders = found[kind], figure(data, "shared_texts", kind)
    if shared.value < SHARED or holders is None:
        if (of_few := _of_few(data)) is not None:
            yield of_few
        else:
            yield below("words of a text that many texts share", shared.value, SHARED)
        return
    name, _, split = kind.partition(" ")
    table = data.answers if name == "answer" else data.queries[data.queries["type"] == name]
    table = table[table["split"] == split] if split else table
    tokens = float(table["tokens"].mean())
    called = f"{split}ing {name}s" if split == "train" else f"{split} {name}s" if split else f"{name}s"
    yield Finding(
        system="data",
        sentence=f"Text that many {called} share takes {100 * shared.value:.0f} % of what the encoder reads of them, "
        f"{shared.value * tokens:.0f} of {tokens:.0f} tokens; {100 * holders.value:.0f} % hold “{shared.example}”.",
        evidence=(
            percent(f"words of the {called} that many of them share", shared.value).against(100 * SHARED),
            Evidence("tokens that it takes, of a text", shared.value * tokens, "tokens"),
            percent("texts with the longest such passage", holders.value),
        ),
        cause="A signature, a disclaimer, a greeting or a template stands in most texts. It makes their vectors alike, "
        "and takes room in the token budget from what tells them apart.",
        fix=Fix({}, f"take this text out of the {called}"),
        reference="ST#364",
        weight=50 * shared.value,
    )


def _of_few(data: DataRecords) -> Finding | None:
    """Of answers, passages that a few others have, and each answer several of them."""
    found = borrowed(data)
    if found is None or not found.is_template:
        return None
    return Finding(
        system="data",
        sentence=f"{100 * found.share:.0f} % of what the encoder reads of the answers stands in other answers, an "
        f"answer having passages of {found.sources:.0f} others: {found.example}.",
        evidence=(
            percent("words read of the answers that stand in other answers", found.share).against(100 * BORROWED),
            Evidence("others that an answer shares passages with", found.sources, "answers").against(TEMPLATE),
        ),
        cause="A menu, a list of related texts or a template was taken for text. It makes vectors alike, and takes "
        "room in the token budget from what tells answers apart.",
        fix=Fix({}, "take this text out of the answers", rows_file(data, "overlapping-texts")),
        reference="ST#364",
        weight=50 * found.share,
    )


@probe(
    "markup-in-texts",
    on="preflight",
    layer="data",
    explains=("truncation-loses-evidence", "tokenizer-mismatch", "boilerplate", "garbled-texts", *TRAINING, *READ),
)
def markup_in_texts(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Tags, entities, addresses or JSON instead of text."""
    found = {kind: marks for kind in kinds_of(data, "markup") if (marks := figure(data, "markup", kind)) is not None}
    if not found:
        yield no_texts()
        return
    kind, marks = max(found.items(), key=lambda item: item[1].value)
    if marks.value < MARKUP:
        yield below(f"characters of the {kind}s in markup", marks.value, MARKUP)
        return
    yield Finding(
        system="data",
        sentence=f"{100 * marks.value:.0f} % of the characters of the {kind}s are markup (tags, entities, addresses, "
        f"JSON), as in “{marks.example}”.",
        evidence=(percent(f"characters of the {kind}s in markup", marks.value).against(100 * MARKUP),),
        cause="The texts were taken from pages or records as they are stored. Markup takes tokens from the text, and "
        "an encoder learnt plain sentences.",
        fix=Fix({}, "take tags, entities and addresses out of the texts before prepare reads them"),
        reference="ST#4060",
        weight=50 * marks.value,
    )


@probe(
    "overlapping-texts",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *ALIKE, *READ, "truncation-loses-evidence", "wrong-labels", "splits-differ"),
)
def overlapping_texts(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers that begin or end with a passage of another one."""
    share = figure(data, "borrowed", "answer")
    if share is None:
        yield no_texts()
        return
    found = borrowed(data)
    if found is None or found.is_template or found.is_interleaved:
        yield below("words read of an answer that stand in others as a passage", share.value, BORROWED)
        return
    yield Finding(
        severity="error" if found.share >= MOST_BORROWED else "warning",
        system="data",
        sentence=f"{100 * found.share:.0f} % of what the encoder reads of the answers stands in another answer, in "
        f"passages of {found.words:.0f} words: {found.example}.",
        evidence=(
            percent("words read of the answers that stand in other answers", found.share).against(100 * BORROWED),
            Evidence("words of a passage that two answers share", found.words, "words"),
            Evidence("others that an answer shares a passage with", found.sources, "answers"),
        ),
        cause="Texts were split into chunks with a long overlap, or put together with their neighbours. Two answers "
        "that share a passage are alike, and one of them counts as wrong for a query that the passage answers.",
        fix=Fix(
            {}, "split the texts with a shorter overlap, or each passage once", rows_file(data, "overlapping-texts")
        ),
        reference="vecscope `collapse`; reports on retrieval over overlapping chunks",
        weight=100 * found.share,
    )
