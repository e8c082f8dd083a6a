"""Prompts that an encoder was trained with and does not get, and those that it does not know."""

from collections.abc import Iterator

import pandas as pd

from whyrank.findings.finding import Evidence, Finding, Fix
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.encoder_space import LEAST_GAIN, gained, is_worth, means, needs, spoken


@probe(
    "prompt-missing",
    on="preflight",
    explains=("queries-apart-from-answers", "worse-than-lexical"),
    about="ranking",
    layer="encoder",
)
def prompt_missing(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Prompts that the files declare, or that the family of the encoder was trained with, are not those in use."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space, count = data.table("encoder_space").iloc[0], len(data.table("encoder_readings"))
    ways = [way for way in ("declared_prompts", "family_prompts") if gained(data, way) is not None]
    if not ways:
        yield not_applicable("prepare", "declared prompts, or a family known to need them, that are not in use")
        return
    gain = gained(data, ways[0])
    assert gain is not None
    used, wanted = (_prompts(space, name) for name in ("used_prompts", ways[0]))
    if not is_worth(gain) and ways[0] == "declared_prompts":
        yield passed("prepare", Evidence("MRR that the declared prompts gain", gain.mean), LEAST_GAIN)
        return
    by = "its files declare" if ways[0] == "declared_prompts" else "its family was trained with"
    yield Finding(
        severity="warning" if is_worth(gain) else "info",
        system="prepare",
        sentence=f"The encoder reads {_said(used)}, and {by} {_said(wanted)}: with these its ranking changes by "
        f"{spoken(gain, count)}.",
        evidence=tuple(means(data, ways[0])),
        cause="An encoder that was trained with prompts tells queries from documents by them.",
        fix=Fix(
            {"encoder.prompts": "auto"}
            if ways[0] == "declared_prompts"
            else {"encoder.prompts": dict(zip(("query", "document"), wanted, strict=True))}
        ),
        reference="unilm#1325; mteb#2867 (24.41 against 22.75); ST#3234",
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * max(gain.mean, 0.0),
    )


@probe(
    "prompt-hurts",
    on="preflight",
    explains=("queries-apart-from-answers", "worse-than-lexical", "wrong-labels", "question-conversation-gap"),
    about="ranking",
    layer="encoder",
)
def prompt_hurts(data: DataRecords) -> Iterator[Finding | Outcome]:
    """The prompts in use, which neither the encoder's files nor its family have, rank worse than none."""
    if (missing := needs(data)) is not None:
        yield missing
        return
    space, gain = data.table("encoder_space").iloc[0], gained(data, "without_prompts")
    known = {str(space.get(f"{name}_prompts", "")) for name in ("declared", "family")}
    if gain is None or str(space["used_prompts"]) in known:
        yield not_applicable("prepare", "prompts in use that neither the encoder's files declare nor its family has")
        return
    if not is_worth(gain):
        yield passed("prepare", Evidence("MRR gained without prompts", gain.mean), LEAST_GAIN)
        return
    yield Finding(
        system="prepare",
        sentence=f"The encoder reads {_said(_prompts(space, 'used_prompts'))}, which its files do not declare: without "
        f"these its ranking changes by {spoken(gain, len(data.table('encoder_readings')))}.",
        evidence=tuple(means(data, "without_prompts")),
        cause="To an encoder that does not know them, the words of a prompt are words of the text: they take room in "
        "its budget and draw queries away from what they ask.",
        fix=Fix({"encoder.prompts": "auto"}),
        reference="ST#3234; mteb#2867",
        interval=(100 * gain.low, 100 * gain.high),
        weight=100 * gain.mean,
    )


def _prompts(space: pd.Series, name: str) -> tuple[str, str]:
    query, _, document = str(space[name]).partition(" | ")
    return query, document


def _said(prompts: tuple[str, str]) -> str:
    named = [f"{side} as {prompt!r}" for side, prompt in zip(("queries", "documents"), prompts, strict=True) if prompt]
    return " and ".join(named) or "no prompts"
