"""Texts that are no running text: letters or words out of order, characters lost, lines of two texts in turn."""

from collections.abc import Iterator
from typing import NamedTuple

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.texts.figure import (
    READ,
    TRAINING,
    Borrowed,
    borrowed,
    figure,
    kinds_of,
    no_texts,
    rows_file,
)
from whyrank.preflight.probes.texts.wording import SHARED

# Different groups of letters, pairs of words, over as many after shuffling: real texts 0.55 and 0.93 at most.
LETTERS, WORD_ORDER = 0.9, 0.985
CAPITALS = 0.9
# Share of texts of 60 letters or more; 1 % of real ones.
NO_LANGUAGE = 0.30
# Bits by which neighbours are usual ones on the other side: 0.4 to 1.6 of real texts, at most 0.15 of words in another
# order. Pairs that tell, and the share of all that they are in running text: 8 to 22 %, and few in search terms.
ORDERED, FEWEST_PAIRS, RUNNING = 0.20, 300, 0.05
# From which on single texts are told: 0.3 that few short questions teach leave a fifth of sound answers unordered.
TAUGHT = 0.60


class Sign(NamedTuple):
    """A figure of `text_figures` by text: name, share of the texts from which it is told, what they do, and why."""

    figure: str
    least: float
    told: str
    cause: str


# The surest first. Of real texts 1 % at most have replaced characters or run words together, and none the others.
# {other} is the side that they are compared with.
SIGNS = (
    Sign("replaced", 0.05, "have replaced characters (� or another encoding)",
         "They were written or read in another encoding."),
    Sign("run_together", 0.05, "are words run together, or encoded",
         "The spaces were lost, or the texts are base64 or the like."),
    Sign("atypical", 0.05, "have letters in an order that no other text has",
         "These texts are shuffled, encoded or encrypted."),
    Sign("unlike", 0.05, "have letters in an order that the {other} do not have",
         "Their letters stand apart, or were replaced by others that look alike, or the texts are encoded."),
    Sign("letterless", 0.10, "are digits and signs for the most part",
         "They are codes, tables of numbers or encoded text."),
    Sign("alphabetical", 0.05, "are lists of words in the order of the alphabet",
         "They came from an index or a sorted set of words, and their order says nothing."),
    Sign("unordered", 0.08, "have words in an order that is less usual than any",
         "The words of these texts were shuffled, reversed or left out, or they are lists and no sentences."),
)  # fmt: skip


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
        "overlapping-texts",
        "texts-cut-before",
    ),
)
def garbled_texts(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Letters or words out of order, characters that were lost, words without spaces, lines of two texts in turn; of
    each kind the worst.
    """
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
    mixed = borrowed(data)
    if kind == "answer" and mixed is not None and mixed.is_interleaved:
        return _interleaved(mixed)
    if letters is not None and letters.value >= LETTERS:
        return (
            f"The letters of the {kind}s stand in random order, as in “{letters.example}”.",
            Evidence("different groups of letters, over as many after shuffling", letters.value).against(LETTERS),
            "The texts are encoded, encrypted or shuffled: they have as many groups of letters as after shuffling, and "
            "a language has half of that.",
            True,
        )
    # A template of codes and numbers is told as one, and a side that knows no order of the other is told as a whole.
    is_template = _is_template(data, kind)
    queries = [one for one in kinds_of(data, "unlike") if one != "answer"]
    taught = figure(data, "word_order_shared", kind)
    silent = {
        "letterless": is_template,
        "unordered": not _is_ordered(data, kind) or taught is None or taught.value < TAUGHT,
        # What a template says is no measure of others.
        "unlike": any(_is_template(data, one) for one in (queries if kind == "answer" else ["answer"])),
    }
    for sign in SIGNS:
        found = figure(data, sign.figure, kind)
        if found is not None and found.low >= sign.least and not silent.get(sign.figure):
            what = sign.told.format(other="queries" if kind == "answer" else "answers")
            evidence = percent(f"{kind}s that {what}", found.value).against(100 * sign.least)
            said = f"{100 * found.value:.0f} % of the {kind}s {what}, as “{found.example}”."
            return said, evidence, sign.cause, False
    unknown = figure(data, "no_language", kind)
    if unknown is not None and unknown.low >= NO_LANGUAGE and not is_template:
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
    if (strange := _out_of_order(data, kind)) is not None:
        return strange
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


def _interleaved(mixed: Borrowed) -> tuple[str, Evidence, str, bool]:
    return (
        f"Lines of the answers alternate with those of other answers, {mixed.words:.0f} words each, as in "
        f"{mixed.example}.",
        percent("words read of the answers that stand in other answers", mixed.share),
        "The pages had columns and were read across them, or texts were put together line by line.",
        True,
    )


def _out_of_order(data: DataRecords, kind: str) -> tuple[str, Evidence, str, bool] | None:
    """Words of a kind that are no neighbours on the other side, while no other kind has the order of that side."""
    queries = [one for one in kinds_of(data, "word_order_shared") if one not in ("answer", "query")]
    ordered = {one: _is_ordered(data, one) for one in {"answer", kind, *queries}}
    others = [ordered[one] for one in queries if one != kind]
    # Of queries in any order, answers share no order with either; the queries are told by themselves.
    is_shuffled = any((order := figure(data, "word_order", one)) and order.value >= WORD_ORDER for one in queries)
    is_own = not is_shuffled and True not in others and False in others if kind == "answer" else True in others
    if ordered[kind] is not False or not is_own:
        return None
    found = figure(data, "word_order_shared", kind)
    assert found is not None
    other = "queries" if kind == "answer" else "answers"
    return (
        f"The words of the {kind}s stand in another order than those of the {other}, as in “{found.example}”: two "
        f"neighbours are as usual there as two words drawn from the text ({found.value:.2f} bits; running texts: 0.4 "
        "or more).",
        Evidence(f"bits by which neighbours in {kind}s are usual ones in {other}", found.value),
        f"The {kind}s were sorted, reversed, shuffled or made of single words"
        + (", or else the queries were." if kind == "answer" else "."),
        False,
    )


def _is_template(data: DataRecords, kind: str) -> bool:
    shared = figure(data, "shared_words", kind)
    return shared is not None and shared.value >= SHARED


def _is_ordered(data: DataRecords, kind: str) -> bool | None:
    """Whether neighbours of a kind are usual ones on the other side; None where too few pairs tell."""
    found, share = figure(data, "word_order_shared", kind), figure(data, "common_pairs", kind)
    if found is None or share is None or found.texts < FEWEST_PAIRS or share.value < RUNNING:
        return None
    return found.value >= ORDERED
