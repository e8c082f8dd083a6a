"""Whether the weights of an encoder are all there: none drawn at random, none left over, none undefined."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import safe_open
from torch import nn

from whyrank.model.encoder.declared import EncoderError

# Parts that a vector of tokens never goes through.
UNUSED = ("pooler.",)
NAMED = 3
# As safetensors calls them.
HALF = {"BF16": torch.bfloat16, "F16": torch.float16}
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "*.model")


def check_files(folder: Path) -> None:
    """Raise EncoderError where the folder holds no whole encoder with safetensors."""
    if (folder / "adapter_config.json").exists():
        raise EncoderError(
            "is an adapter (adapter_config.json), not a whole encoder; merge it into its base model with "
            "`merge_and_unload()` of peft and save that"
        )
    if not (folder / "config.json").exists():
        raise EncoderError("has no config.json; name the folder that `save_pretrained` wrote, or a hub id")
    if not any(found for pattern in VOCABULARIES for found in folder.glob(pattern)):
        raise EncoderError(f"has no tokenizer ({', '.join(VOCABULARIES)}); bring the tokenizer's files, too")
    if not any(folder.glob("*.safetensors")):
        pickled = [*folder.glob("*.bin"), *folder.glob("*.pt"), *folder.glob("*.ckpt")]
        if pickled:
            raise EncoderError(
                f"has its weights in {pickled[0].name}, which may run code when it is read; load it once with "
                "transformers and `save_pretrained` it, which writes model.safetensors"
            )
        if exported := [*folder.glob("onnx/*.onnx"), *folder.glob("*.onnx"), *folder.glob("openvino/*.xml")]:
            raise EncoderError(
                f"has its weights in {exported[0].name} alone, which another runtime runs; encode all texts with it "
                "(SentenceTransformer(…, backend=…)) and name the folder of their vectors (docs/systems.md)"
            )
        # Of a hub id no other weights are brought.
        raise EncoderError(
            "has no *.safetensors; bring the weights, too, or where they are in another form, load them once with "
            "transformers and `save_pretrained` them, and name that folder"
        )


def stored(folder: Path) -> torch.dtype:
    """Of the floating-point weights in the safetensors of a folder the narrowest; float32 where there are none."""
    found = {torch.float32}
    for file in folder.glob("*.safetensors"):
        with safe_open(file, "pt") as tensors:
            names = [tensors.get_slice(name).get_dtype() for name in tensors.keys()]  # noqa: SIM118 - no mapping
            found |= {HALF[name] for name in names if name in HALF}
    return min(found, key=lambda dtype: (dtype.itemsize, str(dtype)))


def check(transformer: transformers.PreTrainedModel, report: dict[str, Any]) -> None:
    """Raise EncoderError where weights of the encoder are missing, of another shape, left over or not finite.

    report   what transformers says with `output_loading_info`
    A missing pooler is taken out of the encoder, whose vectors it has no part in.
    """
    missing = sorted(name for name in report["missing_keys"] if not name.startswith(UNUSED))
    unexpected = sorted(report["unexpected_keys"])
    if missing and (prefix := _prefix(missing, unexpected)):
        under = _some(name for name in unexpected if name.startswith(prefix))
        raise EncoderError(
            f"has its weights under the prefix {prefix!r} ({under}), as DataParallel and wrappers save them; rename "
            "the tensors without it, with load_file and save_file of safetensors"
        )
    if shapes := report["mismatched_keys"]:
        name, found, expected = sorted(shapes)[0]
        raise EncoderError(
            f"has {_count(shapes)} of another shape than its config.json says: {name} is {tuple(found)}, not "
            f"{tuple(expected)}; bring config.json and weights of one model"
        )
    if missing:
        raise EncoderError(
            f"lacks {_count(missing)}: {_some(missing)}; bring the whole weights, or the config.json of these"
        )
    own = {name for name, _ in transformer.named_children()}
    if left_over := [name for name in unexpected if _is_own(name, own, transformer.base_model_prefix)]:
        raise EncoderError(
            f"has {_count(left_over)} that its config.json has no place for: {_some(left_over)}; bring config.json and "
            "weights of one model"
        )
    if any(name.startswith(UNUSED) for name in report["missing_keys"]):
        transformer.register_module("pooler", None)
    check_finite(transformer)


def check_finite(module: nn.Module) -> None:
    if wrong := [name for name, one in module.state_dict().items() if not torch.isfinite(one).all()]:
        raise EncoderError(
            f"has NaN or infinity in {_count(wrong)}: {_some(wrong)}; bring the weights of a sound training"
        )


def _prefix(missing: list[str], unexpected: list[str]) -> str:
    """What stands before the names of missing weights in the file, "" where they are not there under another name."""
    ends = [name for name in unexpected if name.endswith(f".{missing[0]}")]
    prefix = ends[0].removesuffix(missing[0]) if ends else ""
    present = set(unexpected)
    return prefix if all(prefix + name in present for name in missing) else ""


def _is_own(name: str, own: set[str], prefix: str) -> bool:
    """Whether a tensor is one of the encoder's and not of a head for some task; old files hold position_ids, too."""
    parts = name.removeprefix(f"{prefix}.").split(".")
    return parts[0] in own and parts[0] != "pooler" and parts[-1] not in ("position_ids", "inv_freq")


def _count(names: Iterable[Any]) -> str:
    number = len(list(names))
    return f"{number} tensor" + ("s" if number > 1 else "")


def _some(names: Iterable[str]) -> str:
    shown: Iterator[str] = iter(names)
    first = list(islice(shown, NAMED))
    return ", ".join(first) + (", …" if next(shown, None) else "")
