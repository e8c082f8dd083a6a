"""What `whyrank examine` is given: an encoder, a folder that only sentence-transformers reads, vectors, or a run."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from whyrank.core import checksums, io, prepared
from whyrank.core.errors import UserError
from whyrank.core.options import overrides

Given = Literal["encoder", "library", "vectors", "run"]
# Given as files of a model.
MODELS: tuple[Given, ...] = ("encoder", "library")
# Where the vectors of a model lie that only sentence-transformers reads.
VECTORS = "data/foreign"
# Texts of each side that are encoded by sentence-transformers, too.
TEXTS = 8


def kind_of(model: str) -> Given:
    """By what lies there; a hub id, and a folder that is no model, is taken for an encoder, whose loading says more.

    library   its modules.json names modules that whyrank does not represent, such as a static embedding
    """
    path = Path(model)
    if path.is_file():
        return "run"
    if any(path.glob("query_vectors.*")):
        return "vectors"
    if not (path / "modules.json").is_file():
        return "encoder"
    # Imported only here: torch takes a while.
    from whyrank.model.encoder import declared

    try:
        declared.read(path)
    except (declared.EncoderError, UserError):
        return "library"
    return "encoder"


def as_served(values: Mapping[str, Any], folder: Path, settings: Sequence[str]) -> dict[str, Any]:
    """The values with token budgets no longer than what sentence-transformers leaves of a text, which it says.

    settings   a budget that stands among them stays
    """
    from whyrank.model.encoder import declared

    try:
        longest = declared.read(folder).longest
    except declared.EncoderError:
        longest = 0  # read by sentence-transformers alone, which cuts as its files say
    asked = set(map(overrides.key_of, settings))
    cut = {
        f"prepare.tokens.{kind}": longest
        for kind, budget in values["prepare"]["tokens"].items()
        if 0 < longest < budget and f"prepare.tokens.{kind}" not in asked
    }
    if cut:
        print(f"texts are cut after {longest} tokens, as the files of {folder} say; -S prepare.tokens.… asks for more",
              file=sys.stderr)  # fmt: skip
    return overrides.put(values, cut)


def similarity(folder: Path) -> str:
    """How the files of a model say that its vectors are compared: cosine, which is the default, or dot.

    Raises UserError for another, by which it would be ranked otherwise than it is meant to.
    """
    file = folder / "config_sentence_transformers.json"
    declared = (io.read_json(file).get("similarity_fn_name") if file.is_file() else "") or "cosine"
    if declared not in ("cosine", "dot"):
        raise UserError(f"{file}: compares vectors by {declared}, and whyrank by cosine or dot")
    return str(declared)


def encode(folder: Path, target: Path, *, trust_remote_code: bool) -> None:
    """The vectors of all prepared texts by sentence-transformers, as a folder of vectors."""
    from whyrank.model import library

    texts = prepared.read("data/prepared")
    encode = library.encoder(folder, trust_remote_code=trust_remote_code)
    with io.replacing_folder(target) as written:
        for side, table in (("query", texts.queries), ("answer", texts.answers)):
            io.write_array(written / f"{side}_vectors.npy", encode(side, table["text"].tolist()))
            io.write_text(written / f"{side}_ids.txt", "\n".join(table[f"{side}_id"]) + "\n")


def agree(name: str, folder: Path, *, trust_remote_code: bool) -> None:
    """Record beside the run of a system what sentence-transformers gives for a few texts of both sides."""
    from whyrank.model import library

    texts, run = prepared.read("data/prepared"), Path(f"data/runs/{name}")
    tables, vectors = [], []
    for side, table in (("query", texts.queries), ("answer", texts.answers)):
        # Of all lengths.
        order = table["tokens_raw"].to_numpy().argsort(kind="stable")
        rows = order[np.unique(np.linspace(0, len(order) - 1, min(TEXTS, len(order))).astype(int))]
        tables.append(table.iloc[rows][["raw_text", "text"]].assign(side=side, row=rows))
        vectors.append(io.read_array(run / f"{side}_vectors.npy")[rows])
    chosen = pd.concat(tables, ignore_index=True)
    found = library.agreement(folder, chosen, np.concatenate(vectors), trust_remote_code=trust_remote_code)
    io.write_table(run / "library.parquet", found)
    checksums.write(run, (f"metrics/evaluate/{name}.json", f"data/prepared/{checksums.SUMS}"))
