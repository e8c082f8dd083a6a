"""What the files of an encoder declare beside its weights, as sentence-transformers reads them.

modules.json names the modules in their order: Transformer, Pooling, then Dense, LayerNorm, Dropout and Normalize.
config_sentence_transformers.json has prompts and similarity, sentence_bert_config.json the length, which since
version 6 of the library stands with the tokenizer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from whyrank.core.errors import UserError
from whyrank.model.encoder.pooling import POOLINGS

Side = Literal["query", "document"]
MODULES = "modules.json"
LIBRARY = "config_sentence_transformers.json"
POOLING = "1_Pooling"
# Modules above the pooling that are kept; a Normalize at the very end is kept by the score.
PROJECTING = ("Dense", "LayerNorm", "Dropout", "Normalize")
MOST_TOKENS = 1_000_000  # a longer limit is none
OLD_SPELLING = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class EncoderError(Exception):
    """What is wrong with the files of an encoder, or cannot be represented; the sentence continues "it …"."""


@dataclass(frozen=True)
class Declared:
    """pooling     one of `POOLINGS`, several joined by `+`; "" where the files name none
    projection  kind and folder of each module above the pooling
    normalises  whether the last of all modules brings vectors to unit length
    longest     tokens after which a text is cut; 0: not declared
    """

    transformer: str = ""  # its folder
    pooling: str = ""
    projection: tuple[tuple[str, str], ...] = ()
    normalises: bool = False
    prompts: Mapping[str, str] = field(default_factory=dict)
    default_prompt: str = ""
    similarity: str = ""
    longest: int = 0
    lower_case: bool = False

    def prompt(self, side: Side | None) -> str:
        """What sentence-transformers puts before a text: `encode_query`, `encode_document`, or for None `encode`."""
        return self.prompts.get(side or self.default_prompt) or ""

    @property
    def unused_prompts(self) -> list[str]:
        """Names of prompts that neither side uses."""
        used = {"query", "document", self.default_prompt}
        return [name for name, prompt in self.prompts.items() if prompt and name not in used]

    @property
    def score(self) -> Literal["cosine", "dot"]:
        return "dot" if self.similarity == "dot" and not self.normalises else "cosine"


def read(folder: Path, own_modules: int | None = None) -> Declared:
    """The declarations of a folder; an empty one of a folder that transformers alone wrote.

    own_modules   so many of the projecting modules belong to the encoder, as in folders that we wrote; None: all
    Raises EncoderError for what cannot be represented.
    """
    modules = _modules(folder)
    kinds = [kind for kind, _ in modules]
    if kinds and kinds[:2] != ["Transformer", "Pooling"]:
        raise EncoderError(f"starts with {' and '.join(kinds[:2])}; an encoder here is a Transformer and a Pooling")
    places = dict(modules[:2]) if modules else {"Transformer": "", "Pooling": POOLING}
    above = modules[2:]
    normalises = kinds[-1:] == ["Normalize"]
    if own_modules is not None:
        projection = above[:own_modules]
    else:
        projection = above[:-1] if normalises else above
        _check_kinds(kinds[2:])
    library, length = _json(folder / LIBRARY), _length(folder / places["Transformer"])
    prompts = {name: prompt or "" for name, prompt in (library.get("prompts") or {}).items()}
    pooling = _pooling(folder / places["Pooling"] / "config.json", has_prompts=any(prompts.values()))
    similarity = library.get("similarity_fn_name") or ""
    if similarity not in ("", "cosine", "dot"):
        raise EncoderError(f"compares vectors by {similarity}, and whyrank by cosine or dot")
    default = library.get("default_prompt_name") or ""
    if default and default not in prompts:
        raise EncoderError(
            f"names {default!r} as its default prompt, and its prompts are {', '.join(prompts) or 'none'}"
        )
    return Declared(
        places["Transformer"],
        pooling,
        tuple(projection),
        normalises,
        prompts,
        default,
        similarity,
        length.get("max_seq_length") or _of_tokenizer(folder / places["Transformer"]),
        bool(length.get("do_lower_case")),
    )


def _modules(folder: Path) -> list[tuple[str, str]]:
    """Kind and folder of each module, in their order. Raises EncoderError for one that is none of the library."""
    listed = sorted(_json(folder / MODULES, []), key=lambda one: one["idx"])
    if own := [one["type"] for one in listed if not one["type"].startswith("sentence_transformers.")]:
        raise EncoderError(
            f"has the module {own[0]}, code of its own that whyrank does not run; encode all texts with "
            "sentence-transformers and name the folder of their vectors (docs/systems.md)"
        )
    return [(one["type"].rpartition(".")[2], one["path"]) for one in listed]


def _check_kinds(kinds: list[str]) -> None:
    for kind in kinds:
        if kind == "Router":
            raise EncoderError("has a Router of two heads; whyrank reads those that it wrote, with heads.json beside")
        if kind not in PROJECTING:
            raise EncoderError(f"has a module {kind} above the pooling; whyrank keeps {', '.join(PROJECTING)}")


def _length(folder: Path) -> dict[str, Any]:
    """Of the file that tells length and case, under each name that it had."""
    names = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
    files = [folder / f"sentence_{name}_config.json" for name in names]
    found: dict[str, Any] = next((_json(file) for file in files if file.exists()), {})
    if found.get("processing_kwargs"):
        raise EncoderError(f"declares processing_kwargs {found['processing_kwargs']}, which whyrank does not read")
    return found


def _of_tokenizer(folder: Path) -> int:
    """Tokens after which its tokenizer cuts; 0 where it says none: transformers writes a number beyond any text."""
    found = _json(folder / "tokenizer_config.json").get("model_max_length") or 0
    return int(found) if found < MOST_TOKENS else 0


def _pooling(file: Path, *, has_prompts: bool) -> str:
    """Names joined by `+`, in the order of the concatenation; "" without the file."""
    if not file.exists():
        return ""
    config = _json(file)
    if has_prompts and config.get("include_prompt") is False:
        raise EncoderError("leaves its prompts out of the pooling (include_prompt: false), which whyrank does not do")
    old = [name for key, name in OLD_SPELLING.items() if config.get(key)]
    mode = config.get("pooling_mode", old or ["mean"])
    names = [mode] if isinstance(mode, str) else list(mode)
    if unknown := [name for name in names if name not in POOLINGS]:
        raise EncoderError(f"declares the pooling {unknown[0]!r}; whyrank has {', '.join(POOLINGS)}")
    return "+".join(names)


def _json(file: Path, otherwise: Any = None) -> Any:
    if not file.exists():
        return {} if otherwise is None else otherwise
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{file} is torn or no JSON ({error}); bring the encoder's files again") from None
