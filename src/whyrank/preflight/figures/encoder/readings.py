"""How the encoder ranks training queries as it is used, and how it would if its vectors were read otherwise.

Shapes: N texts, answers first · S queries · C answers · D features
"""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.core.runtime import product_dtype
from whyrank.lexical.ranking import tfidf
from whyrank.measure.metrics.geometry import mean_off_pair_cosine, unit_rows
from whyrank.model.encoder import declared as declarations
from whyrank.model.encoder import source, vector_cache
from whyrank.model.encoder.declared import Declared, EncoderError
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures.poolings import reciprocal_ranks

# Training queries, enough for an interval of a few points; and tokens of each text where several encodings of them are
# compared, so that two hundred texts take two seconds. What the vectors in use say is read from whole ones.
QUERIES, TOKENS = 100, 64
# Prompts that families of encoders were trained with, as their cards say, by a part of their names.
FAMILIES: dict[str, tuple[str, str]] = {
    "e5-": ("query: ", "passage: "),
    "bge-": ("Represent this sentence for searching relevant passages: ", ""),
    "nomic-embed-text": ("search_query: ", "search_document: "),
    "arctic-embed": ("Represent this sentence for searching relevant passages: ", ""),
    "mxbai-embed": ("Represent this sentence for searching relevant passages: ", ""),
    "embeddinggemma": ("task: search result | query: ", "title: none | text: "),
}
# Of these names the newer models need none.
WITHOUT = ("bge-m3", "e5-mistral", "e5-large-instruct")


def tables(encoder: Encoder, prepared: Prepared, options: Options) -> dict[str, pd.DataFrame]:
    """`encoder_readings` and `encoder_space`; none without a training query.

    encoder_readings   one row per query: query_id, answer_id (its first right answer), and the reciprocal rank of that
                       answer among those of the sample: `used` as evaluated; `cosine` and `dot` of the same vectors;
                       `centred` without the mean of all vectors, `by_side` without that of queries and of answers each;
                       `standardised` also by the deviation of each feature; `float32` in place of half precision, where
                       that is used; `shared_words` by TF-IDF; `without_prompts`, `declared_prompts`, `family_prompts`
                       where those are not in use
    encoder_space      one row: mean cosine of two answers and of two queries, and of a query and an answer; the largest
                       feature's share of the squared length; least and largest length of an answer (5 and 95 %);
                       precision and score in use; prompts used, declared and of the family (query | document)
    """
    pairs = prepared.relevant_in("train").drop_duplicates("query")
    if pairs.empty:
        return {}
    pairs = pairs.iloc[np.unique(np.linspace(0, len(pairs) - 1, min(QUERIES, len(pairs))).round().astype(int))]
    answer_C, own_S = np.unique(pairs["answer"], return_inverse=True)
    texts = prepared.answers["text"].iloc[answer_C].tolist(), prepared.queries["text"].iloc[pairs["query"]].tolist()
    prompts = prompts_of(encoder, options)
    others = {name: given for name, given in prompts.items() if given != prompts["used"]}
    dtype = str(product_dtype(options.precision)).removeprefix("torch.")
    if others or dtype != "float32":
        used_ND = vectors(encoder, texts, options)
    else:
        rows_N = [*prepared.texts.of("answer")[answer_C], *prepared.texts.of("query")[pairs["query"]]]
        # All texts, as later stages encode them: those find the vectors in the cache.
        used_ND = vector_cache.encoded(encoder, prepared.token_ids, options)[rows_N].cpu().numpy()
    readings = read(used_ND, own_S, len(answer_C), encoder.declared.score)
    readings["shared_words"] = reciprocal_ranks(
        np.concatenate([np.eye(len(answer_C), dtype=np.float32), tfidf(texts[0])(texts[1])]), own_S, len(answer_C)
    )
    if dtype != "float32":
        readings["float32"] = _ranks(vectors(encoder, texts, options, precision="fp32"), own_S, len(answer_C), encoder)
    for name, given in others.items():
        other_ND = vectors(encoder, texts, options, prompts=given)
        readings[f"{name}_prompts"] = _ranks(other_ND, own_S, len(answer_C), encoder)
    ids = {
        "query_id": prepared.queries["query_id"].to_numpy()[pairs["query"]],
        "answer_id": prepared.answers["answer_id"].to_numpy()[answer_C[own_S]],
    }
    found = space(used_ND[: len(answer_C)], used_ND[len(answer_C) :])
    told = {f"{name}_prompts": " | ".join(given) for name, given in prompts.items()}
    described = {**found, "precision": dtype, "score": encoder.declared.score, **told}
    return {"encoder_readings": pd.DataFrame(ids | readings), "encoder_space": pd.DataFrame([described])}


def read(vector_ND: np.ndarray, own_S: np.ndarray, answers: int, score: str) -> dict[str, np.ndarray]:
    """Reciprocal ranks (S,) of the same vectors read in several ways."""
    vector_ND = np.nan_to_num(vector_ND.astype(np.float64), posinf=0.0, neginf=0.0)
    unit_ND = unit_rows(vector_ND)
    centred_ND = unit_ND - unit_ND.mean(axis=0)
    sides_ND = np.concatenate([part - part.mean(axis=0) for part in np.split(unit_ND, [answers])])
    deviation_D = centred_ND.std(axis=0)
    ways = {
        "cosine": unit_ND,
        "dot": vector_ND,
        "centred": unit_rows(centred_ND),
        "by_side": unit_rows(sides_ND),
        "standardised": unit_rows(centred_ND / np.where(deviation_D > 0, deviation_D, 1.0)),
    }
    # Rounding must not order what is equal.
    found = {name: reciprocal_ranks(way_ND.astype(np.float32), own_S, answers) for name, way_ND in ways.items()}
    return {"used": found[score], **found}


def space(answer_CD: np.ndarray, query_SD: np.ndarray) -> dict[str, float]:
    """What `encoder_space` says of the vectors; NaN for the mean cosine of a single answer."""
    parts = [np.nan_to_num(part.astype(np.float64), posinf=0.0, neginf=0.0) for part in (answer_CD, query_SD)]
    answer_CD, query_SD = (unit_rows(part) for part in parts)
    length_C = np.linalg.norm(parts[0], axis=1)
    return {
        "answers": len(answer_CD),
        "cosine_answers": mean_off_pair_cosine(answer_CD) if len(answer_CD) > 1 else float("nan"),
        "cosine_queries": mean_off_pair_cosine(query_SD) if len(query_SD) > 1 else float("nan"),
        "cosine_between": float(answer_CD.mean(axis=0) @ query_SD.mean(axis=0)),
        "largest_feature": float(np.square(np.concatenate([answer_CD, query_SD])).mean(axis=0).max()),
        "shortest": float(np.quantile(length_C, 0.05)),
        "longest": float(np.quantile(length_C, 0.95)),
        "finite": float(np.isfinite(np.concatenate([answer_CD, query_SD])).all()),
    }


def vectors(
    encoder: Encoder,
    texts: tuple[list[str], list[str]],
    options: Options,
    *,
    precision: str = "",
    prompts: tuple[str, str] | None = None,
) -> np.ndarray:
    """(N, D) of answers and queries, with other prompts (of queries, of documents) than those in use where given."""
    before = encoder.declared
    if prompts is not None:
        encoder.declared = dataclasses.replace(before, prompts=dict(zip(("query", "document"), prompts, strict=True)))
    try:
        limit = min(TOKENS, encoder.longest)
        rows = [*encoder.tokenise(texts[0], limit, "document"), *encoder.tokenise(texts[1], limit, "query")]
    finally:
        encoder.declared = before
    return encoder.encode(rows, batch_tokens=options.batch_tokens, precision=precision or options.precision)


def prompts_of(encoder: Encoder, options: Options) -> Mapping[str, tuple[str, str]]:
    """Prompts of queries and documents: used, none, and where there are such: declared by the files, of the family."""
    found = {"used": _both(encoder.declared)}
    if any(found["used"]):
        found["without"] = ("", "")
    folder = source.local_folder(options) if options.source not in ("scratch", "embedded") else None
    if folder is not None:
        try:
            declared = _both(declarations.read(folder))
        except EncoderError:  # as loaded with other options
            declared = ("", "")
        if any(declared):
            found["declared"] = declared
    name = f"{options.source} {getattr(encoder.transformer.config, '_name_or_path', '')}".lower()
    if "declared" not in found and not any(one in name for one in WITHOUT):
        for part, prompts in FAMILIES.items():
            if part in name:
                found["family"] = prompts
    return found


def _both(declared: Declared) -> tuple[str, str]:
    return declared.prompt("query"), declared.prompt("document")


def _ranks(vector_ND: np.ndarray, own_S: np.ndarray, answers: int, encoder: Encoder) -> np.ndarray:
    return read(vector_ND, own_S, answers, encoder.declared.score)["used"]
