"""What is wrong with the weights of some layers, by what they say of themselves and of each other."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, Severity
from whyrank.findings.outcome import Outcome
from whyrank.findings.records import DataRecords

# H cos² of weights that were learnt together: 8 to 236 in each layer of all-MiniLM-L6-v2, paraphrase-MiniLM-L3-v2 and
# all-mpnet-base-v2; 0.8 to 1.4 of a fresh initialisation, even with 64 features.
INDEPENDENT, LEARNT = 2.0, 4.0
# Of the median over the layers: the least part in these encoders has 0.18 of it, the greatest 1.4.
NEARLY_ZERO, OVERGROWN = 0.02, 8.0
# Of a layer's LayerNorms; 0.14 to 0.72 there, and 1 at the start. Their medians differ by 2.4 at most.
GAIN, GAIN_RATIO = 4.0, 5.0
# Of what a layer adds by what comes in: 0.45 and more there, 0.02 of a fresh initialisation.
STANDS_STILL = 0.005
# Of what tells one token from another: 0.85 and more there, and of a fresh initialisation 0.77.
ALL_ALIKE = 0.02
# Share of the pairs of related pieces that are nearer than others: 0.94 and more there, 0.5 by chance.
NEARER, LEAST_PAIRS = 0.80, 60
# Spread of the cosines of other pieces, by that of random directions: 1.2 to 1.4 there, and 0.9 to 1.1 by chance.
ISOTROPIC = 1.15
# Different values in a row: 320 and more of three public encoders in float32 and bfloat16, 4 to 8 of eight bits by the
# largest weight.
ROUNDED = 20
# sqrt(H) times the mean cosine of what a neuron reads and writes: -1.9 to -4.0 in all layers of the MiniLMs; of
# all-mpnet-base-v2, where it goes from 4 through 0 to -4, nothing is said.
LEANS, LEANING_LAYERS = 1.0, 4

WHOLE = "bring the encoder's files once more from where they were published, and compare their checksums"
SPOKEN = {
    "query": "query weights",
    "key": "key weights",
    "value": "value weights",
    "attention_output": "attention output weights",
    "feed_forward_in": "first feed-forward weights",
    "feed_forward_out": "second feed-forward weights",
    "query_key": "query and key weights",
    "value_output": "value and attention output weights",
    "feed_forward": "two feed-forward weights",
}


class Fault(NamedTuple):
    """What is wrong with some layers, by number; `measured` is of the worst of them."""

    layers: list[int]
    told: str
    measured: Evidence
    severity: Severity


def is_untrained(data: DataRecords) -> bool:
    """Weights and embeddings as an initialisation draws them; the latter alone where weights have no partners."""
    fits, table = fits_of(data.table("encoder_layers")), data.table("encoder_pieces")
    nearer, pairs = nearer_of(table)
    if len(fits) and float(fits.max()) >= INDEPENDENT:
        return False
    if len(fits):
        return pairs < LEAST_PAIRS or nearer < NEARER
    words = of_words(table)
    # Rows that were moved are far apart, too, but as unequally as training left them.
    return (
        pairs >= LEAST_PAIRS
        and nearer < NEARER
        and float(np.average(words["spread"], weights=words["pairs"])) < ISOTROPIC
    )


def are_tokens_alike(data: DataRecords) -> bool:
    """Whether a layer gives every token of a text the same vector."""
    table = data.table("encoder_layers")
    return bool("spread" in table and (table["spread"] < ALL_ALIKE).any())


def are_places_lost(data: DataRecords) -> bool:
    """Whether positions that follow each other have no nearer embeddings than others, or none at all."""
    table = data.table("encoder_pieces")
    rows = table[table["relation"] == "neighbours"] if len(table) else table
    return bool(len(rows) and (rows["nearer"] < NEARER).any() and (rows["pairs"] >= LEAST_PAIRS).all())


def finding(
    table: pd.DataFrame, faults: list[Fault], what: str, otherwise: Outcome | None
) -> Iterator[Finding | Outcome]:
    """One finding about the gravest, which names the others."""
    if not faults:
        if otherwise is not None:
            yield otherwise
        return
    order: tuple[Severity, ...] = ("error", "warning", "info")
    faults = sorted(faults, key=lambda fault: (order.index(fault.severity), -len(fault.layers)))
    worst, count = faults[0], len(table)
    others = f" {len(faults) - 1} more: {'; '.join(fault.told for fault in faults[1:4])}." if len(faults) > 1 else ""
    yield Finding(
        severity=worst.severity,
        system="prepare",
        sentence=f"The encoder {what}: {worst.told} ({_numbered(worst.layers, count)}).{others}",
        evidence=tuple(fault.measured for fault in faults[:4]),
        cause="No training leaves weights so. They were changed afterwards, saved by another program, or read into the "
        "wrong places.",
        fix=Fix({}, WHOLE),
        reference="DEFault++ 2026 (mutations of transformers); Xu et al. 2019, arXiv:1911.07013 (LayerNorm)",
        weight=CAUSE * len(worst.layers) / max(count, 1),
    )


def _numbered(layers: list[int], count: int) -> str:
    if not layers:
        return "embeddings"
    return f"all {count} layers" if len(layers) == count else f"of {count} layers: {', '.join(map(str, layers))}"


def graded(layers: list[int], count: int, alone: Severity) -> Severity:
    """One zeroed layer in six costs a trained encoder nothing that 60 queries show; half of them ruin it."""
    share = len(layers) / count
    return "error" if share >= 0.5 else "warning" if share >= 0.25 else alone


def alike(table: pd.DataFrame, column: str, least: float, told: str, name: str) -> Iterator[Fault]:
    rows = table[table[column] < least]
    if len(rows):
        layers = rows["layer"].tolist()
        severity: Severity = "error" if column == "spread" else graded(layers, len(table), "warning")
        yield Fault(layers, f"a layer {told}", least_of(table, column, name).against(least), severity)


def copies(table: pd.DataFrame) -> Iterator[Fault]:
    rows = table[table["copy_of"] > 0]
    if len(rows):
        layers = rows["layer"].tolist()
        measured = Evidence("layers with the weights of another", len(rows), "layers").against(1)
        first = int(rows["copy_of"].iloc[0])
        yield Fault(layers, f"its weights are those of layer {first}", measured, graded(layers, len(table), "warning"))


def zeroed(table: pd.DataFrame, parts: tuple[str, ...]) -> Iterator[Fault]:
    """Parts that are zero in some layers; beside nothing, where they are in all of them."""
    columns = [name for name in table.columns if name.startswith("rms_")]
    whole = float(np.nanmedian(table[columns].to_numpy())) if columns else 0.0
    for part in parts:
        if (column := f"rms_{part}") in table:
            least = NEARLY_ZERO * (table[column].median() or whole)
            rows = table[table[column] <= least]
            if len(rows):
                layers = rows["layer"].tolist()
                yield Fault(
                    layers,
                    f"the {SPOKEN[part]} are zero",
                    Evidence(f"root mean square of the {SPOKEN[part]}", float(rows[column].min())).against(least),
                    graded(layers, len(table), "info"),
                )


def unfit(data: DataRecords) -> Iterator[Fault]:
    """Weights of a layer that were not learnt together, in an encoder where others were."""
    table = data.table("encoder_layers")
    fits = fits_of(table)
    nearer, pairs = nearer_of(data.table("encoder_pieces"))
    is_learnt = len(fits) and (np.nanmax(fits) >= LEARNT or (pairs >= LEAST_PAIRS and nearer >= NEARER))
    for pair in ("query_key", "value_output", "feed_forward") if is_learnt else ():
        # 0 where one of the two is zero: that is told as such.
        rows = table[(table[f"fit_{pair}"] < INDEPENDENT) & (table[f"fit_{pair}"] > 0.2)]
        if len(rows):
            layers, least = rows["layer"].tolist(), float(rows[f"fit_{pair}"].min())
            told = f"the {SPOKEN[pair]} do not belong together (fit {least:.1f}; 1 by chance, above 8 as trained)"
            measured = Evidence(f"least fit of the {SPOKEN[pair]}", least, "of chance").against(INDEPENDENT)
            yield Fault(layers, told, measured, graded(layers, len(table), "warning"))


def gains(table: pd.DataFrame) -> Iterator[Fault]:
    for column, worst in (("gain_low", "min"), ("gain_high", "max")) if "gain_low" in table else ():
        gain = table[column]
        usual = float(gain.median())
        bound = usual / GAIN_RATIO if worst == "min" else min(GAIN, GAIN_RATIO * usual)
        far = gain < bound if worst == "min" else gain > bound
        if far.any():
            layers = table.loc[far, "layer"].tolist()
            value = float(getattr(gain, worst)())
            told = f"a LayerNorm has weights of {value:.2g} in the mean, where {usual:.2g} is usual"
            severity = graded(layers, len(table), "warning")
            yield Fault(layers, told, Evidence("mean weight of a LayerNorm", value).against(bound), severity)


def overgrown(table: pd.DataFrame) -> Iterator[Fault]:
    for column in (name for name in table.columns if name.startswith("rms_")):
        usual = float(table[column].median())
        # Where most are zero, those that are not are the sound ones.
        rows = table[table[column] > OVERGROWN * usual] if usual > 0 else table.iloc[:0]
        if len(rows):
            layers, value = rows["layer"].tolist(), float(rows[column].max())
            part = SPOKEN[column.removeprefix("rms_")]
            told = f"the {part} are {value / usual:.0f} times as large as in other layers"
            measured = Evidence(f"root mean square of the {part}", value)
            yield Fault(layers, told, measured, graded(layers, len(table), "warning"))


def rounded(table: pd.DataFrame) -> Iterator[Fault]:
    rows = table[table["levels"] <= ROUNDED] if "levels" in table else table.iloc[:0]
    if len(rows):
        layers, least = rows["layer"].tolist(), int(rows["levels"].min())
        told = f"its weights were rounded to {least} values a row, where trained ones differ in nearly every entry"
        measured = Evidence("different values in a row of a weight", least, "values").against(ROUNDED)
        # What it costs depends on how it was done: the halves and the queries tell.
        yield Fault(layers, told, measured, "warning")


def turned(table: pd.DataFrame) -> Iterator[Fault]:
    """Where all layers but one lean one way, that one has the sign of a weight turned."""
    lean = table["lean"].dropna() if "lean" in table else pd.Series(dtype=float)
    if len(lean) < LEANING_LAYERS or (lean.abs() < LEANS).any():
        return
    fewer = lean[lean > 0] if (lean < 0).sum() > len(lean) / 2 else lean[lean < 0]
    if len(fewer) == 1:
        layers = table.loc[fewer.index, "layer"].tolist()
        told = f"what its neurons write has the opposite sign of that in all other layers ({fewer.iloc[0]:+.1f})"
        yield Fault(layers, told, Evidence("lean of neurons", float(fewer.iloc[0])), "warning")


def fits_of(table: pd.DataFrame) -> np.ndarray:
    columns = [name for name in table.columns if name.startswith("fit_")]
    values = table[columns].to_numpy(dtype=float).ravel() if columns else np.zeros(0)
    return values[~np.isnan(values)]


def of_words(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["relation"] != "neighbours"] if len(table) else table


def nearer_of(table: pd.DataFrame) -> tuple[float, int]:
    """Share of all related pieces that are nearer, and how many pairs there are."""
    words = of_words(table)
    pairs = int(words["pairs"].sum()) if len(words) else 0
    return (float((words["nearer"] * words["pairs"]).sum() / pairs) if pairs else float("nan")), pairs


def least_of(table: pd.DataFrame, column: str, name: str = "least change of a token's vector by a layer") -> Evidence:
    return Evidence(name, float(table[column].min()))
