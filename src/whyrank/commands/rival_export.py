"""A rival as a folder for an application: an index as NumPy arrays, and a README whose code ranks with it."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from whyrank.core import checksums, io, lock, prepared
from whyrank.core.errors import UserError
from whyrank.core.options.systems import RUNS
from whyrank.lexical import ranking as words
from whyrank.lexical.analysis import Analyser
from whyrank.measure.metrics.geometry import unit_rows

NEAREST = '''import numpy as np

index = np.load("index.npz")


def rank(query_vector, best=10):
    """The best answers as (id, score): the largest cosine with a vector that stands for the answer."""
    cosine = index["vectors"] @ (query_vector / np.linalg.norm(query_vector))
    score = dict.fromkeys(index["answer_ids"], -2.0)
    for answer, value in zip(index["stands_for"], cosine):
        score[answer] = max(score[answer], value)
    return sorted(score.items(), key=lambda item: -item[1])[:best]
'''
CLASSIFIER = '''import numpy as np

index = np.load("index.npz")


def rank(query_vector, best=10):
    """The best answers as (id, logit); an answer without training queries is never among them."""
    logits = index["weight"] @ (query_vector / np.linalg.norm(query_vector)) + index["bias"]
    order = np.argsort(-logits, kind="stable")[:best]
    return [(index["classes"][i], logits[i]) for i in order]
'''
FUSION = '''import json
from collections import Counter

import numpy as np
from scipy.stats import rankdata
from whyrank.lexical.analysis import Analyser  # the words of a text, as they were counted

index, made = np.load("index.npz"), json.load(open("how.json"))
analyser = Analyser(**made["analyser"]) if "analyser" in made else None
row_of = {term: row for row, term in enumerate(index["terms"])}


def lexical(text):
    score = np.zeros(len(index["answer_ids"]))
    for term, count in Counter(analyser.bm25_terms(text)).items():
        if (row := row_of.get(term)) is not None:
            part = slice(index["start"][row], index["start"][row + 1])
            score[index["answer"][part]] += count * index["adds"][part]
    return score


def normalised(score):
    if made["method"] == "rrf":
        return 1 / (60 + rankdata(-score))
    if made["normalise"] == "min-max":
        return (score - score.min()) / (np.ptp(score) or 1)
    return (score - score.mean()) / (score.std() or 1)


def rank(query_text, query_vectors, best=10):
    """The best answers as (id, score). query_vectors: of each encoder in how.json, in that order."""
    scores = []
    for i, (vector, similarity) in enumerate(zip(query_vectors, made["similarities"])):
        length = np.linalg.norm(vector) if similarity == "cosine" else 1  # a dot product keeps the length
        scores.append(index[f"vectors_{i}"] @ (vector / length))
    scores = ([lexical(query_text)] if analyser else []) + scores
    total, listed = np.zeros(len(index["answer_ids"])), np.zeros(len(index["answer_ids"]), dtype=bool)
    for score, weight in zip(scores, made["weights"]):
        top = np.argsort(-score, kind="stable")[: made["keep"]]
        value = normalised(score[top])
        least = 0 if made["method"] == "rrf" else value.min()
        total += weight * least
        total[top] += weight * (value - least)
        listed[top] = True
    order = np.argsort(-np.where(listed, total, -np.inf), kind="stable")[:best]
    return [(index["answer_ids"][i], total[i]) for i in order if listed[i]]
'''
CODE = {"nearest-query": NEAREST, "classifier": CLASSIFIER, "fusion": FUSION}
LEXICAL = ("bm25", "tfidf")


def is_rival(system: str, root: Path) -> bool:
    """Whether the stage evaluate left a rival of that name."""
    return (root / RUNS / system / "how.json").is_file()


def export(system: str, folder: Path, root: Path) -> None:
    """Write the index of a rival and its README into `folder`; either all of it is there or nothing.

    Raises UserError for records that are torn, for a fusion that has no index here, and for a folder that holds
    something already.
    """
    folder = folder.resolve()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name a new folder")
    run = root / RUNS / system
    checksums.verify(run)
    lock.check(f"{RUNS}/{system}", root)
    how = io.read_json(run / "how.json")
    if how["kind"] == "compressed":
        source = Path(how["made_of"]).name
        raise UserError(f"{system} has no index of its own; export {source}, and keep its vectors as {how['store']}")
    if how["kind"] == "served":
        raise UserError(f"{system} has no index of its own; {_served(how)}")
    if how["kind"] not in CODE:
        raise UserError(f"{system} is of kind {how['kind']}, whose files are yours already: {how['made_of']}")
    arrays, more = _fusion(system, how, root) if how["kind"] == "fusion" else (_read(run / "index.npz"), {})
    with io.replacing_folder(folder) as temporary:
        io.write_arrays(temporary / "index.npz", arrays)
        io.write_json(temporary / "how.json", {**how, **more})
        io.write_text(temporary / "README.md", "\n".join(_readme(system, how)))


def _served(how: dict[str, Any]) -> str:
    if how["layers"] or not how["format"].startswith("onnx"):
        return (
            f"sentence-transformers loads no {how['format']} with {how['layers'] or 'all'} layers; serve an `onnx` one"
        )
    precision = " --precision int8" if how["format"] == "onnx-int8" else ""
    return f"run `whyrank export {Path(how['made_of']).name} FOLDER --backend onnx{precision}`"


def _read(file: Path) -> dict[str, np.ndarray]:
    with io.reading(file, "NumPy archive"), np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _encoders(how: dict[str, Any]) -> list[str]:
    return [name for name in how["systems"] if name not in LEXICAL] if "systems" in how else [Path(how["made_of"]).name]


def _fusion(system: str, how: dict[str, Any], root: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Vectors of the answers under each encoder, as its similarity compares them, and what a term adds to the score of
    an answer; and what how.json needs of both."""
    texts = prepared.read(root / "data/prepared")
    arrays = {"answer_ids": texts.answers["answer_id"].to_numpy(dtype=str)}
    more: dict[str, Any] = {"similarities": []}
    for number, name in enumerate(_encoders(how)):
        run, metrics = root / RUNS / name, root / f"metrics/evaluate/{name}.json"
        if not (run / "answer_vectors.npy").exists():
            raise UserError(f"{system} is made of {name}, which keeps no vectors; there is no index of it")
        checksums.verify(run, metrics)
        is_cosine = io.read_json(metrics)["score_kind_cosine"] == 1
        scale = unit_rows if is_cosine else np.asarray
        arrays[f"vectors_{number}"] = scale(io.read_array(run / "answer_vectors.npy")).astype(np.float32)
        more["similarities"].append("cosine" if is_cosine else "dot")
    if "tfidf" in how["systems"]:
        raise UserError(f"{system} has TF-IDF in it; an index holds BM25 alone: set `systems.{system}.lexical: bm25`")
    if "bm25" not in how["systems"]:
        return arrays | {"terms": np.zeros(0, dtype=str)}, more
    analyser = Analyser(**io.read_json(root / RUNS / system / "analyser.json"))
    row_of, score_VA = words.bm25_scores(list(map(analyser.bm25_terms, texts.answers["raw_text"])))
    parts = {"adds": score_VA.data, "answer": score_VA.indices, "start": score_VA.indptr}
    return arrays | parts | {"terms": np.array(list(row_of), dtype=str)}, {**more, "analyser": asdict(analyser)}


def _readme(system: str, how: dict[str, Any]) -> Iterator[str]:
    encoders = _encoders(how)
    yield f"# {system}\n\nA system of kind {how['kind']}, made by whyrank. `how.json` says what it chose.\n"
    yield f"Vectors of queries are those of {' and '.join(f'`{name}`' for name in encoders)}, in that order:\n"
    yield f'`whyrank export {encoders[0]} encoder`, then `SentenceTransformer("encoder").encode_query(text)`.'
    yield f"Load the index in this folder:\n\n```python\n{CODE[how['kind']]}```\n"
