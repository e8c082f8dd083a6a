"""What an encoder finds without any label: the other half of an answer, and the answer whose words were moved.

Shapes: A answers
"""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.lexical.ranking import tfidf
from whyrank.lexical.words import written
from whyrank.measure.metrics.geometry import unit_rows
from whyrank.model.encoder import vector_cache
from whyrank.model.encoder.encoder import Encoder, TokenIds
from whyrank.preflight.figures.encoder.repeats import same
from whyrank.preflight.figures.poolings import reciprocal_ranks

# Answers that are cut in two, tokens of each half, and words that an answer needs for that. With 40 the 99 %
# interval of a loss is 15 points of MRR on either side on ConditionalQA, with 60 it was 12. Of fewer tokens, TF-IDF
# would know more of a half than the encoder does.
ANSWERS, TOKENS, WORDS = 40, 48, 12
# Answers whose words are moved, and of whose halves one word is left out.
CHANGED = 8
# The full stops of Latin, Chinese and Hindi.
SENTENCE = re.compile("(?<=[.!?])\\s+|(?<=[\u3002\uff01\uff1f\u0964])\\s*|\n+")


def table(encoder: Encoder, prepared: Prepared, options: Options) -> pd.DataFrame:
    """One row per answer; empty where fewer than two are long enough.

    answer_id
    encoder, embeddings, shared_words   1 / place of the second half among those of all answers, asked by the first:
                                        by the encoder, by the mean of its embeddings of the pieces alone, by TF-IDF
    edited   1 / place of the first half among those of all answers, asked by itself without one of its words
    moved    1 - cosine of the answer with the same words in another order, float32
    The last two are NaN beyond the first `CHANGED` answers.
    """
    answers = prepared.answers[[len(written(str(text))) >= WORDS for text in prepared.answers["text"]]]
    answers = answers.iloc[np.unique(np.linspace(0, len(answers) - 1, min(ANSWERS, len(answers))).astype(int))]
    if len(answers) < 2:
        return pd.DataFrame()
    texts = answers["text"].astype(str).tolist()
    random = np.random.default_rng(0)
    halves = [cut(text) for text in texts]
    first, second = [one for one, _ in halves], [two for _, two in halves]
    edited = [_less(one, random) for one in first[:CHANGED]]
    rows = encoder.tokenise([*first, *second, *edited], min(TOKENS, encoder.longest), "document")
    # The same answers in every run on a corpus, whatever its labels and rates.
    vector_ND = _finite(vector_cache.encoded(encoder, rows, options).cpu().numpy())
    found = pd.DataFrame({"answer_id": answers["answer_id"].to_numpy()})
    one_AD, two_AD, edited_KD = np.split(unit_rows(vector_ND), [len(first), 2 * len(first)])
    found["encoder"] = _found(one_AD, two_AD)
    found["embeddings"] = _found(*np.split(unit_rows(pieces(encoder, rows[: 2 * len(texts)])), 2))
    score_AA = tfidf(second)(first)
    found["shared_words"] = _found(score_AA, np.eye(len(texts)))
    few = found.index[:CHANGED]
    found.loc[few, "edited"] = _found(edited_KD, one_AD)
    found.loc[few, "moved"] = moved(encoder, texts[:CHANGED], options, random)
    return found


def cut(text: str) -> tuple[str, str]:
    """Every other sentence, and the others; words before and behind the middle where there are under four sentences."""
    sentences = [part for part in SENTENCE.split(text) if part.strip()]
    if len(sentences) >= 4:
        return " ".join(sentences[::2]), " ".join(sentences[1::2])
    parts = text.split()
    if len(parts) < WORDS:  # written without spaces
        return text[: len(text) // 2], text[len(text) // 2 :]
    return " ".join(parts[: len(parts) // 2]), " ".join(parts[len(parts) // 2 :])


def moved(encoder: Encoder, texts: list[str], options: Options, random: np.random.Generator) -> np.ndarray:
    """Token ids in another order, but for those that the tokenizer sets around a text."""
    before, behind = encoder.tokens_around(side="document")
    rows = encoder.tokenise(texts, min(TOKENS, encoder.longest), "document")
    others = [
        [
            *row[: len(before)],
            *random.permutation(row[len(before) : len(row) - len(behind)]),
            *row[len(row) - len(behind) :],
        ]
        for row in rows
    ]
    vector_ND = encoder.encode([*rows, *others], batch_tokens=options.batch_tokens, precision="fp32")
    return 1 - same(*np.split(vector_ND, 2))


def pieces(encoder: Encoder, rows: Sequence[TokenIds]) -> np.ndarray:
    """(N, H) mean of the embeddings of a text's pieces, as they stand in the table."""
    embeddings = encoder.transformer.get_input_embeddings()
    assert isinstance(embeddings, nn.Embedding)
    with torch.no_grad():
        means = [embeddings.weight[torch.as_tensor(row, device=encoder.device)].mean(dim=0) for row in rows]
    return _finite(torch.stack(means).float().cpu().numpy())


def _less(text: str, random: np.random.Generator) -> str:
    parts = text.split() if len(text.split()) > 2 else list(text)
    del parts[int(random.integers(len(parts)))]
    return (" " if len(text.split()) > 2 else "").join(parts)


def _found(query_AD: np.ndarray, answer_AD: np.ndarray) -> np.ndarray:
    """(A,) reciprocal rank of the answer in the same row."""
    return reciprocal_ranks(np.concatenate([answer_AD, query_AD]), np.arange(len(query_AD)), len(answer_AD))


def _finite(vector_ND: np.ndarray) -> np.ndarray:
    return np.nan_to_num(vector_ND, posinf=0.0, neginf=0.0)
