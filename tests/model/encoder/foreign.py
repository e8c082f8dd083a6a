"""Tiny encoders of public architectures and layouts, as transformers and sentence-transformers save them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

SENTENCES = [
    "You pay a pension when you retire, at the age of 67.",
    "A visa lets you travel across the border with your passport.",
    "Tax on income is paid back in spring, after you sent the return.",
    "A school has to give your child a place near your home.",
    "What do I need to drive a car? I have no licence yet, and the test is in May.",
]
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
}
ROBERTA: dict[str, Any] = {
    "max_position_embeddings": 514,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}


def wordpiece() -> transformers.PreTrainedTokenizerFast:
    pieces = tokenizers.BertWordPieceTokenizer()
    pieces.train_from_iterator(SENTENCES, vocab_size=400, show_progress=False)
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    whole = tokenizers.Tokenizer.from_str(pieces.to_str())
    return transformers.PreTrainedTokenizerFast(tokenizer_object=whole, model_max_length=512, **names)


def byte_pairs(*, around: bool = True) -> transformers.PreTrainedTokenizerFast:
    """around   <s> and </s> around a text, as RoBERTa has them; else nothing, as of causal models"""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    pieces = tokenizers.Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    pieces.train_from_iterator(SENTENCES, trainer)
    if around:
        pieces.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    names = dict(zip(["bos_token", "pad_token", "eos_token", "unk_token", "mask_token"], special, strict=True))
    return transformers.PreTrainedTokenizerFast(tokenizer_object=pieces, model_max_length=512, **names)


def architecture(name: str) -> tuple[transformers.PreTrainedModel, transformers.PreTrainedTokenizerFast]:
    """A model with random weights, large enough that texts lie apart, and its tokenizer."""
    torch.manual_seed(0)
    pieces = byte_pairs(around=name != "qwen2") if name in BYTE_PAIRS else wordpiece()
    model = ARCHITECTURES[name](len(pieces))
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data *= 3
    return model.eval(), pieces


def modernbert(size: int) -> transformers.PreTrainedModel:
    ids = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
    return transformers.ModernBertModel(
        transformers.ModernBertConfig(vocab_size=size, max_position_embeddings=256, **ids, **SMALL)
    )


def deberta(size: int) -> transformers.PreTrainedModel:
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
    return transformers.DebertaV2Model(
        transformers.DebertaV2Config(vocab_size=size, type_vocab_size=0, **relative, **SMALL)
    )


def t5(size: int) -> transformers.PreTrainedModel:
    sizes = {"d_model": 32, "d_ff": 48, "num_layers": 2, "num_heads": 2, "d_kv": 16}
    return transformers.T5EncoderModel(transformers.T5Config(vocab_size=size, pad_token_id=1, **sizes))


def distilbert(size: int) -> transformers.PreTrainedModel:
    return transformers.DistilBertModel(
        transformers.DistilBertConfig(vocab_size=size, dim=32, n_layers=2, n_heads=2, hidden_dim=48)
    )


def qwen2(size: int) -> transformers.PreTrainedModel:
    return transformers.Qwen2Model(transformers.Qwen2Config(vocab_size=size, num_key_value_heads=2, **SMALL))


def of(name: str, **settings: Any) -> Callable[[int], transformers.PreTrainedModel]:
    model, config = getattr(transformers, f"{name}Model"), getattr(transformers, f"{name}Config")
    return lambda size: model(config(vocab_size=size, **settings))


ARCHITECTURES: dict[str, Callable[[int], transformers.PreTrainedModel]] = {
    "bert": of("Bert", **SMALL),
    "roberta": of("Roberta", **ROBERTA, **SMALL),
    "xlm-roberta": of("XLMRoberta", **ROBERTA, **SMALL),
    "camembert": of("Camembert", **ROBERTA, **SMALL),
    "mpnet": of("MPNet", max_position_embeddings=514, pad_token_id=1, **SMALL),
    "distilbert": distilbert,
    "deberta-v2": deberta,
    "modernbert": modernbert,
    "albert": of("Albert", embedding_size=16, **SMALL),
    "electra": of("Electra", embedding_size=16, **SMALL),
    "t5": t5,
    "qwen2": qwen2,
}
BYTE_PAIRS = ("roberta", "xlm-roberta", "camembert", "mpnet", "t5", "qwen2")


def library_folder(
    folder: Path, *, pooling: dict[str, Any] | None = None, above: tuple[str, ...] = (), inner: str = "", **library: Any
) -> Path:
    """A tiny BERT as sentence-transformers saves one.

    pooling   the file of the pooling, less its width;  above   kinds of the modules above it
    inner     folder of the transformer, as older versions had it
    library   what stands in config_sentence_transformers.json
    """
    from sentence_transformers.sentence_transformer import modules as kinds

    shutil.rmtree(folder, ignore_errors=True)
    model, pieces = architecture("bert")
    model.save_pretrained(folder / inner)
    pieces.save_pretrained(folder / inner)
    named = [("Transformer", inner), ("Pooling", "1_Pooling")]
    (folder / "1_Pooling").mkdir()
    written = {"word_embedding_dimension": 32, **(pooling or {"pooling_mode_mean_tokens": True})}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(written))
    width = 32 * max(1, sum(value is True for key, value in written.items() if key.startswith("pooling_mode_")))
    torch.manual_seed(1)
    for number, kind in enumerate(above, start=2):
        named.append((kind, f"{number}_{kind}"))
        given = {"Dense": (width, 24), "LayerNorm": (width,), "Dropout": (0.1,), "Normalize": ()}[kind]
        (folder / named[-1][1]).mkdir()
        getattr(kinds, kind)(*given).save(str(folder / named[-1][1]))
        width = 24 if kind == "Dense" else width
    listed = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(named)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / inner / "sentence_bert_config.json").write_text(
        json.dumps({"max_seq_length": 24, "do_lower_case": False})
    )
    if library:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(library))
    return folder
