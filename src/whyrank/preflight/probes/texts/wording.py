"""What takes the place of content in what the encoder reads: shared text, markup, damage."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.texts.figure import ALIKE, READ, TRAINING, below, figure, kinds_of, no_texts, rows_file

# Share of the words in runs of four that a tenth of the texts have. Real texts: 4 % at most.
SHARED = 0.20
# Share of the characters in tags, entities, addresses and JSON. Real texts: 4 % at most.
MARKUP = 0.15
# Shares of the texts. Replaced characters and words run together: 1 % of real texts at most; atypical letters in random
# order: none.
REPLACED, RUN_TOGETHER, ATYPICAL = 0.05, 0.05, 0.05
# Different groups of letters, pairs of words, over as many after shuffling: real texts 0.55 and 0.93 at most.
LETTERS, WORD_ORDER = 0.9, 0.985
CAPITALS = 0.9
# Share of texts of 60 letters or more; 1 % of real ones.
NO_LANGUAGE = 0.30


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
            percent(f"words of the {called} that many of them share", shared.value),
            Evidence("tokens that it takes, of a text", shared.value * tokens, "tokens"),
            percent("texts with the longest such passage", holders.value),
        ),
        cause="A signature, a disclaimer, a greeting or a template stands in most texts. It makes their vectors alike, "
        "and takes room in the token budget from what tells them apart.",
        fix=Fix({}, f"take this text out of the {called}"),
        reference="ST#364",
        weight=50 * shared.value,
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
        evidence=(percent(f"characters of the {kind}s in markup", marks.value),),
        cause="The texts were taken from pages or records as they are stored. Markup takes tokens from the text, and "
        "an encoder learnt plain sentences.",
        fix=Fix({}, "take tags, entities and addresses out of the texts before prepare reads them"),
        reference="ST#4060",
        weight=50 * marks.value,
    )


@probe(
    "garbled-texts",
    on="preflight",
    layer="data",
    explains=(
        *TRAINING,
        *READ,
        "tokenizer-mismatch",
        "boilerplate",
        "splits-differ",
        "answers-in-another-language",
        "placeholder-answers",
    ),
)
def garbled_texts(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Letters or words in random order, characters that were lost, words without spaces; of each kind the worst."""
    told, kinds = False, kinds_of(data, "replaced")
    if not kinds:
        yield no_texts()
        return
    for kind in kinds:
        if (why := _garbled(data, kind)) is not None and not told:
            told = True
            sentence, evidence, cause, is_error = why
            yield Finding(
                severity="error" if is_error else "warning",
                system="data",
                sentence=sentence,
                evidence=(evidence,),
                cause=cause,
                fix=Fix(
                    {}, f"export the {kind}s again, as UTF-8 and as they were written", rows_file(data, "garbled-texts")
                ),
                reference="mteb#4335",
                weight=80.0 if is_error else 40.0,
            )
    if not told:
        worst = max((found.value for kind in kinds if (found := figure(data, "letters", kind))), default=0.0)
        yield passed("data", Evidence("different groups of letters, over as many after shuffling", worst), LETTERS)


def _garbled(data: DataRecords, kind: str) -> tuple[str, Evidence, str, bool] | None:
    """Sentence, evidence, cause, and whether it is an error."""
    letters, order = figure(data, "letters", kind), figure(data, "word_order", kind)
    if letters is not None and letters.value >= LETTERS:
        return (
            f"The letters of the {kind}s stand in random order, as in “{letters.example}”.",
            Evidence("different groups of letters, over as many after shuffling", letters.value),
            "The texts are encoded, encrypted or shuffled: they have as many groups of letters as after shuffling, and "
            "a language has half of that.",
            True,
        )
    named = (
        (
            "replaced",
            REPLACED,
            "have replaced characters (� or another encoding)",
            "They were written or read in another encoding.",
        ),
        (
            "run_together",
            RUN_TOGETHER,
            "are words run together, or encoded",
            "The spaces were lost, or the texts are base64 or the like.",
        ),
        (
            "atypical",
            ATYPICAL,
            "have letters in an order that no other text has",
            "These texts are shuffled, encoded or encrypted.",
        ),
    )
    for name, least, what, cause in named:
        found = figure(data, name, kind)
        if found is not None and found.low >= least:
            evidence = percent(f"{kind}s that {what}", found.value)
            return f"{100 * found.value:.0f} % of the {kind}s {what}, as “{found.example}”.", evidence, cause, False
    unknown = figure(data, "no_language", "answer" if kind == "answer" else "query")
    if unknown is not None and unknown.low >= NO_LANGUAGE:
        return (
            f"{100 * unknown.value:.0f} % of the {kind}s are in no language, as “{unknown.example}”.",
            percent("longer texts in no language", unknown.value),
            "They are encoded, encrypted, or lists of codes and numbers.",
            False,
        )
    if order is not None and order.value >= WORD_ORDER:
        return (
            f"The words of the {kind}s stand in random order, or without the small words between them, as in "
            f"“{order.example}”.",
            Evidence("different pairs of words, over as many after shuffling", order.value),
            "They have as many pairs of neighbouring words as after shuffling, so that their order says nothing.",
            False,
        )
    capitals, tokenizer = figure(data, "capitals", kind), data.table("tokenizer")
    is_cased = not tokenizer.empty and not tokenizer["lower_cases"].iloc[0]
    if capitals is not None and capitals.value >= CAPITALS and is_cased:
        return (
            f"The {kind}s are written in capitals, which this encoder tells from small letters.",
            percent("letters that are capitals", capitals.value),
            "Words in capitals are other, rarer pieces of its vocabulary.",
            False,
        )
    return None
