"""Texts that were cut before they came, and conversations whose end the token budget drops."""

from collections.abc import Iterator

from whyrank.findings.finding import Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes import truncation
from whyrank.preflight.probes.selections import better
from whyrank.preflight.probes.texts.figure import READ, TRAINING, below, figure, kinds_of, no_texts

# Share of the texts within 1 % of the longest, and how many times what the lengths below let expect; real texts: at
# most 4 %, and two times.
AT_LIMIT, TIMES, FEWEST = 0.05, 4.0, 6
# A shorter limit is none: written without spaces, a text is one word. Unless it is that of most texts.
SHORTEST, SHORTEST_OF_MOST, MOST = 10, 3, 0.5
UNITS = {
    "chars": "characters",
    "words": "words",
    "tokens": "tokens",
    "body_chars": "characters after the title",
    "body_words": "words after the title",
}
# Share of the conversations that lose their last turn.
LOST = 0.10


@probe(
    "texts-cut-before",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *READ, "truncation-loses-evidence"),
)
def texts_cut_before(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Many texts of a kind that end at one length."""
    kinds = kinds_of(data, "at_limit_chars")
    if not kinds:
        yield no_texts()
        return
    worst, told = 0.0, False
    for kind in kinds:
        for unit, name in UNITS.items():
            at, limit = figure(data, f"at_limit_{unit}", kind), figure(data, f"limit_{unit}", kind)
            expected = figure(data, f"expected_{unit}", kind)
            if at is None or limit is None or expected is None:
                continue
            if limit.value < (SHORTEST_OF_MOST if at.low >= MOST else SHORTEST):
                continue
            worst = max(worst, at.value)
            is_pile = at.low >= max(AT_LIMIT, TIMES * expected.value) and at.value * at.texts >= FEWEST
            open_end, other = figure(data, f"open_end_{unit}", kind), figure(data, f"open_end_else_{unit}", kind)
            ends_open = open_end is None or open_end.value >= max(0.5, other.value - 0.1 if other else 0.0)
            if is_pile and ends_open and not told:
                told = True
                yield Finding(
                    system="data",
                    sentence=f"{100 * at.value:.0f} % of the {kind}s end at {limit.value:.0f} {name}, as "
                    f"“…{at.example}”: they were cut before prepare read them.",
                    evidence=(
                        percent(f"{kind}s of that length", at.value).against(
                            100 * max(AT_LIMIT, TIMES * expected.value)
                        ),
                        percent("what the shorter ones let expect", expected.value),
                    ),
                    cause="A field, an export or a tool before this one kept so much of each text. What was cut cannot "
                    "be found, whatever the token budget.",
                    fix=Fix({}, f"export the {kind}s whole; prepare cuts them itself, by its own budget"),
                    reference="ST#285; HF#1666",
                    weight=30 * at.value,
                )
    if not told:
        yield below("texts within 1 % of the longest", worst, AT_LIMIT)


@probe(
    "cut-loses-end",
    on="preflight",
    layer="data",
    explains=("worse-than-lexical", "question-conversation-gap", "truncation-loses-evidence"),
)
def cut_loses_end(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Conversations that the cut leaves without what the user said last."""
    lost = figure(data, "end_lost", "conversation")
    if lost is None:
        yield no_texts()
        return
    n = int((data.queries["type"] == "conversation").sum())
    count = round(lost.value * lost.texts)
    if not n or not lost.texts:
        yield not_applicable("data", "conversations that are longer than their token budget")
        return
    share = count / n
    if share < LOST or count < FEWEST:
        yield below("conversations that lose their last turn", share, LOST)
        return
    end, kept = figure(data, "end_words", "conversation"), figure(data, "kept_words", "conversation")
    gain = figure(data, "end_gain_low", "conversation")
    is_better = gain is not None and gain.value > 0
    compared = better(data, "conversation")
    evidence = [percent("conversations that lose their last turn", share).against(100 * LOST)]
    if end is not None and kept is not None:
        evidence += [
            percent("words of the right answer in the lost turn", end.value),
            percent("words of the right answer in what is kept", kept.value),
        ]
    evidence += compared.evidence if compared else []
    yield Finding(
        severity="warning" if is_better else "info",
        system="data",
        sentence=f"The token budget drops what the user said last from {100 * share:.0f} % of the conversations"
        + (", and it has more of the answer's words than what is kept." if is_better else "."),
        evidence=tuple(evidence),
        cause="What is kept lacks it, and users often come to their question at the end, such as “"
        + lost.example
        + "”.",
        fix=_keep_the_end(data),
        reference="Sun et al. 2019 (head and tail); ST#4060",
        weight=30 * share if is_better else share,
    )


def _keep_the_end(data: DataRecords) -> Fix:
    """The way to cut with which the encoder surely ranks better; a larger budget where none does. Where they were not
    compared, and the texts are cut from the start, the way that keeps both ends."""
    table = data.queries[data.queries["type"] == "conversation"]
    if compared := better(data, "conversation"):
        if compared.is_sure:
            return Fix({"prepare.selection.conversation": compared.way})
        larger = truncation.larger_budget("conversation", table)
        return larger or Fix({}, f"shorten conversations before they are read: {compared.spoken}")
    cut = table[table["tokens"] < table["tokens_raw"]]
    from_start = sum(raw.startswith(text) for raw, text in zip(cut["raw_text"], cut["text"], strict=True))
    if from_start > len(cut) / 2:
        return Fix({"prepare.selection.conversation": "head_tail"})
    return Fix({}, "raise prepare.tokens.conversation")
