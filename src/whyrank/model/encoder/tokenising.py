"""Token ids of texts; of many texts by what stands between their spaces, where a tokenizer reads no further than that.

That is so of WordPiece as BERT has it: its texts are cut at white space first, and each word is read by itself. A large
set has few different words, and each is tokenised once.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np
from tokenizers import models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerBase

from whyrank.core import spaced

# Texts from which it is faster: fewer have nearly as many different words as words.
FEWEST = 1_000
# Ids of the parts of texts, and how many of a tokenizer are remembered: beside what it was then, for it may be changed.
_known: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[str, dict[str, list[int]]]] = WeakKeyDictionary()
_MOST = 1_000_000
TokenIds = Sequence[int] | np.ndarray
# Ids before and behind a text.
Around = Callable[[], Sequence[list[int]]]


def counted(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[int]:
    """Tokens of each whole text, special tokens left out."""
    if not texts:
        return []
    if not _is_of_parts(tokenizer, texts):
        # The tokenizer warns about texts longer than the position table; here they are only counted.
        ids = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return [len(row) for row in ids]
    parts = spaced.spaced(texts)
    count_D = np.array([len(ids) for ids in _ids(tokenizer, parts.different)], dtype=np.int64)
    return spaced.sums(parts, count_D).tolist()


def tokenised(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], limit: int, prompt: str, around: Around
) -> list[TokenIds]:
    """Token ids of each text, special tokens and the prompt included, cut to `limit`, which is more than they take.

    Lists of few texts, arrays int64 of many: a list of Python's numbers takes five times the memory.
    """
    if len(texts) == 0:
        return []
    if not _is_of_parts(tokenizer, texts) or prompt.rstrip(" ") == prompt != "":
        prompted = [prompt + text for text in texts] if prompt else list(texts)
        return tokenizer(prompted, truncation=True, max_length=limit)["input_ids"]
    before, after = around()
    most = limit - len(before) - len(after)
    assert most > 0, limit
    parts = spaced.spaced(texts)
    found = spaced.of_each(parts, _ids(tokenizer, parts.different))
    ends = [np.array(gap, dtype=np.int64) for gap in (before, after)]
    spans = pairwise(found.start_N.tolist())
    return [np.concatenate([ends[0], found.value_V[at : min(stop, at + most)], ends[1]]) for at, stop in spans]


def _is_of_parts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> bool:
    """Whether the tokens of these texts are those of their parts, and the texts enough for that to pay."""
    if len(texts) < FEWEST or not tokenizer.is_fast or tokenizer.truncation_side != "right":
        return False
    backend = tokenizer.backend_tokenizer
    return (
        isinstance(backend.model, models.WordPiece)
        and isinstance(backend.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
        and isinstance(backend.normalizer, normalizers.BertNormalizer)
        and not any(" " in token.content for token in tokenizer.added_tokens_decoder.values())
    )


def _ids(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    backend = tokenizer.backend_tokenizer
    state = f"{backend.get_vocab_size()} {backend.normalizer}"
    before, known = _known.get(tokenizer, ("", {}))
    if before != state or len(known) > _MOST:
        known = {}
    _known[tokenizer] = state, known
    backend.no_truncation()
    backend.no_padding()
    new = [text for text in texts if text not in known]
    found = backend.encode_batch_fast(new, add_special_tokens=False)
    known.update((text, one.ids) for text, one in zip(new, found, strict=True))
    return [known[text] for text in texts]
