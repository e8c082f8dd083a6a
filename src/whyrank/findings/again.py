"""How a model that was trained elsewhere is examined once more: `dvc exp run` would train what is examined."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from whyrank.core import io

# Where `whyrank examine` leaves how it was called, in the folder of the examination.
EXAMINED = "examined.json"
COMMAND = "whyrank examine"
# Said once where commands of fixes are shown.
OF_PIPELINE = "A command starts from the committed params.yaml and holds what this run changed in it."
OF_EXAMINATION = "A command examines the model once more, with one change, in a folder of its own."
# Sections of params.yaml that say how texts are read and judged; the others say how a model is trained.
SECTIONS = ("prepare.", "encoder.", "evaluate.", "diagnose.")
# Of a model that is there already they say nothing.
OF_TRAINING = ("encoder.source", "encoder.revision", "encoder.keep_layers", "encoder.attention_dropout")


@dataclass(frozen=True)
class Again:
    """words      of the command behind `whyrank examine`, without overrides and the folder
    settings   overrides that this examination had
    out        its folder
    """

    words: tuple[str, ...]
    settings: tuple[str, ...]
    out: str

    def command(self, settings: Sequence[str], keys: Iterable[str]) -> str:
        """The examination with these settings, all of them, in a folder that is called by the changed keys."""
        out = "-".join([self.out, *(key.rpartition(".")[2] for key in keys)])
        given = [part for setting in settings for part in ("-S", setting)]
        return f"{COMMAND} {shlex.join([*self.words, *given, '--out', out])}"

    def within(self, path: str) -> str:
        """A file of the examination, as the one who called it finds it."""
        return str(PurePosixPath(self.out) / path)


def can_be_set(params: Mapping[str, Any]) -> bool:
    """Whether an examination can have these overrides: none of them is about how the model is trained."""
    return all(key.startswith(SECTIONS) and key not in OF_TRAINING for key in params)


def start(commands: Iterable[str]) -> str:
    """What is said once of commands; empty where there are none."""
    shown = [one for one in commands if one]
    return "" if not shown else OF_EXAMINATION if shown[0].startswith(COMMAND) else OF_PIPELINE


def write(folder: Path, words: Sequence[str], settings: Sequence[str]) -> None:
    io.write_json(folder / EXAMINED, {"words": list(words), "settings": list(settings), "out": str(folder)})


def read(file: str = EXAMINED) -> Again | None:
    """How this folder was made; None where it is no examination."""
    if not Path(file).exists():
        return None
    kept = io.read_json(file)
    return Again(tuple(kept["words"]), tuple(kept["settings"]), str(kept["out"]))
