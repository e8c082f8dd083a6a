"""An encoder from the files of a folder, with all that they declare, or one line that says why not."""

import dataclasses
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from whyrank.core.errors import UserError, said_by
from whyrank.core.rerun import maker, remedy
from whyrank.model.encoder import declared as declarations
from whyrank.model.encoder import weights
from whyrank.model.encoder.declared import Declared, EncoderError
from whyrank.model.encoder.encoder import Encoder
from whyrank.model.encoder.projection import Projection

# What the configurations of the BERT family, and of newer encoders, call it.
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
# Encoder-decoders whose encoder alone sentence-transformers takes.
ENCODER_ONLY = ("t5", "mt5", "umt5")


def load(
    folder: str | Path,
    *,
    name: str | None = None,
    pooling: str = "auto",
    attention_dropout: float | None = None,
    own_modules: int | None = None,
    trust_remote_code: bool = False,
) -> Encoder:
    """An encoder from a folder, in float32, dropout off.

    name                the user's `encoder.source`; None: a folder that a stage or another parameter names
    attention_dropout   what training will use, written into the encoder's configuration; None leaves what it declares
    own_modules         as `declared.read` takes it

    Raises UserError for a folder whose weights are not whole, or which declares what cannot be represented.
    """
    folder = Path(folder)
    place = f"{folder}" if name is None else f"params.yaml: `encoder.source` {name!r}"
    # A folder of the pipeline is made anew by its stage.
    again = f"; {remedy(folder)}" if name is None and maker(folder) else ""
    try:
        if not folder.is_dir():
            raise EncoderError("is no folder; name one, or a hub id")
        found = declarations.read(folder, own_modules)
        weights.check_files(folder / found.transformer)
        return _load(folder, found, pooling, attention_dropout, trust_remote_code)
    except EncoderError as error:
        raise UserError(f"{place} cannot be loaded: it {error}{again}") from None
    except UserError:
        raise
    # What libraries raise for torn files has no common base: SafetensorError, KeyError and RuntimeError were seen.
    except Exception as error:
        raise UserError(f"{place} cannot be loaded: {said_by(error)}{again}") from error


def _load(
    folder: Path, found: Declared, pooling: str, attention_dropout: float | None, trust_remote_code: bool
) -> Encoder:
    where = folder / found.transformer
    with quiet():
        config = transformers.AutoConfig.from_pretrained(where, trust_remote_code=trust_remote_code)
        if attention_dropout is not None:
            for name in ATTENTION_DROPOUT:
                if hasattr(config, name):
                    setattr(config, name, attention_dropout)
        of: Any = transformers.AutoModelForTextEncoding if config.model_type in ENCODER_ONLY else transformers.AutoModel
        transformer, report = of.from_pretrained(
            where,
            config=config,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
        tokenizer = transformers.AutoTokenizer.from_pretrained(where, trust_remote_code=trust_remote_code)
    weights.check(transformer, report)
    _check_tokenizer(tokenizer)
    if found.lower_case:
        _lower(tokenizer)
    found = dataclasses.replace(found, transformer="")
    if pooling == "auto":
        pooling = found.pooling or _default_pooling(config)
    projection = _projection(folder, found, trust_remote_code)
    try:
        encoder = Encoder(transformer, tokenizer, pooling, found, projection)
    except RuntimeError:
        kinds = ", ".join(kind for kind, _ in found.projection)
        raise EncoderError(f"has {kinds} above its pooling, which do not take what {pooling} gives") from None
    return (encoder.cuda() if torch.cuda.is_available() else encoder).eval()


@contextmanager
def quiet() -> Iterator[None]:
    """Without the tables and warnings of transformers: what they say, `weights.check` says in one line."""
    before = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.utils.logging.set_verbosity(before)


def _default_pooling(config: transformers.PretrainedConfig) -> str:
    """Of files that declare none, as sentence-transformers has it: the mean, of a causal encoder the last token."""
    architecture = (getattr(config, "architectures", None) or [""])[0]
    is_causal = architecture.endswith("ForCausalLM") and getattr(config, "is_causal", True)
    return "lasttoken" if is_causal else "mean"


def _check_tokenizer(tokenizer: transformers.PreTrainedTokenizerBase) -> None:
    if not tokenizer.is_fast:
        raise EncoderError("has no fast tokenizer (tokenizer.json); choose one that has")
    check_vocabulary(tokenizer)


def check_vocabulary(tokenizer: transformers.PreTrainedTokenizerBase) -> None:
    """Raise EncoderError where transformers made a tokenizer without its files: to it every word is unknown."""
    if len(tokenizer) <= len(set(tokenizer.all_special_ids)):
        raise EncoderError("has no vocabulary (tokenizer.json or vocab.txt); bring the tokenizer's files, too")


def _lower(tokenizer: Any) -> None:
    """What `do_lower_case` of sentence-transformers asks for, whatever the tokenizer itself does."""
    from tokenizers import normalizers

    own = tokenizer.backend_tokenizer.normalizer
    tokenizer.backend_tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), *([own] if own else [])])


def _projection(folder: Path, found: Declared, trust_remote_code: bool) -> Projection | None:
    """The modules above the pooling, by the classes of sentence-transformers."""
    if not found.projection:
        return None
    # Importing that library takes seconds; most encoders have no such module.
    library = importlib.import_module("sentence_transformers.sentence_transformer.modules")
    modules = []
    for kind, path in found.projection:
        given = {"trust_remote_code": trust_remote_code} if kind == "Dense" else {}
        modules.append(getattr(library, kind).load(str(folder), subfolder=path, local_files_only=True, **given))
    projection = Projection(nn.Sequential(*modules).float())
    weights.check_finite(projection)
    return projection
