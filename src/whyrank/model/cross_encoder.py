"""A cross-encoder of sentence-transformers: it reads a query and an answer together and gives the pair a score.

torch and sentence-transformers are imported inside the functions: the other rivals do without them.

Shapes: P pairs of texts
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from whyrank.core import cache, io, network
from whyrank.core.errors import UserError, is_out_of_memory, said_by
from whyrank.model import custom_code

# Pairs of texts at a time; the library sorts them by length.
BATCH = 32
KEPT_FILES = 24


def load(model: str, *, trust_remote_code: bool) -> Any:
    """A model by its hub id or folder.

    Raises UserError where it is no cross-encoder, has several scores a pair, or is not whole.
    """
    from whyrank.model.encoder import loading, weights
    from whyrank.model.encoder.declared import EncoderError
    from whyrank.model.encoder.source import HUB_ID

    if not Path(model).is_dir() and HUB_ID.fullmatch(str(model)):
        network.check_hub(f"cross-encoder {str(model)!r} is no folder here")
    try:
        found, again = (_read(model, seed, trust_remote_code) for seed in (0, 1))
    # As of an encoder: what libraries raise for torn files has no common base.
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise UserError(f"{model} is no cross-encoder that can be loaded ({said_by(error)}); name another") from error
    if (scores := found.config.num_labels) != 1:
        raise UserError(f"{model} has {scores} scores for a pair of texts; a reranker has one")
    try:
        loading.check_vocabulary(found.tokenizer)
        weights.check_finite(found)
    except EncoderError as error:
        raise UserError(f"{model} cannot be loaded: it {error}") from None
    if drawn := _different(found, again):
        raise UserError(
            f"{model} lacks weights of a cross-encoder, which would be drawn at random ({drawn[0]}); bring its "
            "whole weights, or name a model that was trained to score pairs, such as one of `whyrank teach`"
        )
    return found


def _read(model: str, seed: int, trust_remote_code: bool) -> Any:
    """What the library reads; what its files lack, it draws from torch's generator."""
    import torch
    from sentence_transformers import CrossEncoder

    from whyrank.model.encoder.loading import quiet

    with quiet(), torch.random.fork_rng():
        torch.manual_seed(seed)
        return CrossEncoder(model, trust_remote_code=trust_remote_code)


def _different(model: Any, other: Any) -> list[str]:
    """Names of the weights in which they differ."""
    import torch

    weights = other.state_dict()
    return [name for name, weight in model.state_dict().items() if not torch.equal(weight, weights[name])]


def fingerprint(model: Any) -> str:
    """SHA-256 over all that determines a score: weights, settings, tokenizer, length, prompts, versions and code.

    A copy of a model in another folder is the same model.
    """
    import sentence_transformers
    import tokenizers
    import torch
    import transformers

    config = {key: value for key, value in model.config.to_dict().items() if key != "_name_or_path"}
    prompts = [getattr(model, name, None) for name in ("prompts", "default_prompt_name")]
    versions = [one.__version__ for one in (torch, transformers, tokenizers, sentence_transformers)]
    code = custom_code.fingerprint([*model.modules(), model.tokenizer])
    settings = [config, repr(model), reading(model.tokenizer), prompts, versions, code]
    digest = hashlib.sha256(json.dumps(settings, default=str, sort_keys=True).encode())
    for name, weight in model.state_dict().items():
        digest.update(name.encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def reading(tokenizer: Any) -> list[Any]:
    """What determines the token ids of a pair of texts."""
    if backend := getattr(tokenizer, "backend_tokenizer", None):
        words = json.loads(backend.to_str())
        # Each call sets them, by the length and the sides below.
        del words["truncation"], words["padding"]
    else:
        words = tokenizer.get_vocab()
    sides = [tokenizer.truncation_side, tokenizer.padding_side]
    return [words, tokenizer.model_max_length, *sides, tokenizer.special_tokens_map, tokenizer.chat_template]


def predicted(model: Any, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Logits (P,) float32; kept in the user's cache by `fingerprint` and the texts."""
    import torch

    digest = hashlib.sha256(fingerprint(model).encode())
    for pair in pairs:
        digest.update("\0".join((*pair, "")).encode())
    file = cache.folder() / "pairs" / f"{digest.hexdigest()}.npy"
    if (kept := cache.read(file)) is not None:
        return kept
    found = model.predict(pairs, batch_size=BATCH, activation_fn=torch.nn.Identity(), show_progress_bar=False)
    logits = np.asarray(found, dtype=np.float32)
    if cache.write(file, logits):
        cache.drop([*io.newest_first(file.parent, "*.npy")][KEPT_FILES:])
    return logits
