"""A model that was made elsewhere: whether sentence-transformers gives the vectors that were evaluated."""

from collections.abc import Iterator

import pandas as pd

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.probes.training.reload import SYMPTOMS
from whyrank.findings.finding import CAUSE, Evidence, Finding, Fix, Severity
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe

# Cosines of a text with itself, see `whyrank.model.library`.
SAME = 0.9999
# 1 - cosine in float32: 1e-4 and more of encoders with positions.
ORDER, LEAST_TEXTS = 1e-5, 5
OWN = {
    "again": "encoded twice by sentence-transformers",
    "alone": "alone and in a batch of mixed lengths",
    "reloaded": "by the folder as it was read first, and as it was read once more",
}
BECAUSE = {
    "prompt": (
        "the library puts a prompt before the text that whyrank does not",
        Fix({"encoder.prompts": "auto"}),
    ),
    "half precision": (
        "the folder's weights are in half precision, in which the library computes and whyrank does not",
        Fix({}, 'serve it with SentenceTransformer(…, model_kwargs={"dtype": "float32"})'),
    ),
    "max_seq_length": (
        "the library cuts texts at max_seq_length, which is below the budgets in prepare.tokens",
        Fix(
            {},
            "raise max_seq_length (since version 6 of the library model_max_length in tokenizer_config.json), or lower "
            "prepare.tokens to it",
        ),
    ),
    "modules above the pooling": (
        "the folder has modules above the pooling that whyrank left out",
        Fix({}, "load it with the modules of modules.json"),
    ),
    "": ("neither prompts, precision, length nor modules explain it", Fix({}, "compare tokenizer, mask and pooling")),
}


@probe("library-disagrees", on="trained", explains=("evaluation-differs-from-training", *SYMPTOMS), layer="evaluation")
def library_disagrees(case: Examination) -> Iterator[Finding | Outcome]:
    """The same texts twice, alone, after reload, by sentence-transformers and by whyrank."""
    for system, run in case.records.runs.items():
        table = run.library
        if table is None:
            yield not_applicable(system, "a model that was made elsewhere")
            continue
        own = {way: float(table[way].min()) for way in OWN}
        worst = min(own, key=own.__getitem__)
        if own[worst] < SAME:
            yield _by_itself(system, worst, table)
        elif float(table["ours_same_text"].min()) < SAME:
            yield _otherwise(system, table)
        elif float(table["ours"].min()) < SAME:
            yield _cut(system, table)
        else:
            yield passed(
                system, Evidence("least cosine with the vector of sentence-transformers", table["ours"].min()), SAME
            )


@probe("bag-of-words", on="trained", explains=("worse-than-zero-shot", "worse-than-lexical"), layer="encoder")
def bag_of_words(case: Examination) -> Iterator[Finding | Outcome]:
    """Texts whose words stand in another order have the same vector."""
    for system, run in case.records.runs.items():
        moved = pd.Series(dtype=float) if run.library is None else run.library["moved"].dropna()
        if len(moved) < LEAST_TEXTS:
            yield not_applicable(system, f"a model that was made elsewhere, and {LEAST_TEXTS} texts of several words")
            continue
        far = Evidence("largest distance of a text from itself with its words in another order", float(1 - moved.min()))
        if far.value >= ORDER:
            yield passed(system, far, ORDER)
            continue
        yield Finding(
            severity="warning",
            system=system,
            sentence=f"{system} does not see the order of words: all {len(moved)} texts keep their vector when their "
            "words are moved.",
            evidence=(far.against(ORDER), Evidence("texts whose words were moved", len(moved), "texts")),
            cause="Its vector is a sum over the pieces of a text, as that of a static model (model2vec, word "
            "embeddings) is: fast, and blind to who did what to whom.",
            fix=Fix({}, "take an encoder with attention where quality matters; compare both in this report's table"),
            reference="Sinha et al. 2021, arXiv:2104.06644; MinishLab/model2vec (its limits)",
            weight=10.0,
        )


def _by_itself(system: str, way: str, table: pd.DataFrame) -> Finding:
    differ = int((table[way] < SAME).sum())
    random = way != "alone"
    return Finding(
        severity="error",
        system=system,
        sentence=f"{differ} of {len(table)} texts get two vectors, {OWN[way]}: the least like have a cosine of "
        f"{table[way].min():.3f}.",
        evidence=tuple(
            Evidence(f"least cosine, {told}", float(table[one].min())).where_below(SAME) for one, told in OWN.items()
        ),
        cause="Something random is left on while texts are encoded, as a rule dropout, or weights are drawn when the "
        "folder is read."
        if random
        else "Tokens see or are pooled with padding: the attention mask is ignored, or padding stands on the side from "
        "which the pooling takes its token.",
        fix=Fix({}, "call eval() before encoding, and check that every weight of the model is in its files")
        if random
        else Fix({}, "check attention mask and padding_side of the tokenizer; batch_size=1 until then"),
        reference="transformers#33844; ST#3208; Echo#24",
        weight=CAUSE + 100 * (1 - float(table[way].min())),
    )


def _otherwise(system: str, table: pd.DataFrame) -> Finding:
    differing = table[table["ours_same_text"] < SAME]
    why, fix = BECAUSE[str(differing["because"].mode().iloc[0])]
    least = float(differing["ours_same_text"].min())
    severity: Severity = "error" if least < 0.99 else "warning"
    return Finding(
        severity=severity,
        system=system,
        sentence=f"sentence-transformers gives {len(differing)} of {len(table)} texts other vectors than were "
        f"evaluated ({least:.3f} is the lowest cosine): {why}.",
        evidence=(
            Evidence("least cosine with the vector of sentence-transformers, of the same text", least).against(SAME),
            Evidence("texts that differ", len(differing), "texts"),
        ),
        cause="Metrics of one reading of the folder say nothing certain of the other.",
        fix=fix,
        reference="ST#2979; mteb#2867",
        weight=CAUSE + 100 * (1 - least),
    )


def _cut(system: str, table: pd.DataFrame) -> Finding:
    differing = table[table["ours"] < SAME]
    least = float(differing["ours"].min())
    return Finding(
        severity="info",
        system=system,
        sentence=f"Of {len(differing)} of {len(table)} texts sentence-transformers reads more or less than prepare "
        f"keeps ({least:.3f} is the lowest cosine); of the same text both give the same vector.",
        evidence=(
            Evidence("least cosine of a whole text with what prepare keeps of it", least).against(SAME),
            Evidence("texts that differ", len(differing), "texts"),
        ),
        cause="Texts are cut by prepare.tokens and prepare.selection here, and by max_seq_length in the library.",
        fix=Fix({}, "cut texts alike where the model is served"),
        reference="ST#4060",
    )
