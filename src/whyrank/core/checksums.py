"""`SHA256SUMS` in every folder that a stage writes: what is read later is what was written, or a line says it is not.

A file torn, empty, edited, swapped or of another shape is known by its sum, and so is one of another run: a folder
may also name files outside of itself that belong to it. `sha256sum -c SHA256SUMS` checks the same.
"""

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.rerun import remedy

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  (.+)")


@contextmanager
def summed_folder(path: str | Path, *beside: str | Path) -> Iterator[Path]:
    """`io.replacing_folder`, with the sums of what was written into it, and of files `beside` it."""
    with io.replacing_folder(path) as folder:
        yield folder
        write(folder, beside)


def write(folder: str | Path, beside: Iterable[str | Path] = ()) -> None:
    """Sums of all files of a folder that is about to take its place, and of files `beside` it."""
    folder = Path(folder)
    own = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()} - {SUMS}
    names = [*sorted(own), *(Path(os.path.relpath(file, folder)).as_posix() for file in beside)]
    text = "".join(f"{digest(folder / name)}  {name}\n" for name in names)
    (folder / SUMS).write_text(text, encoding="utf-8")


def verify(folder: str | Path, *beside: str | Path, required: bool = True) -> None:
    """Raise UserError naming the first file that is not as it was written, and the stage that makes it anew.

    beside     files that have to belong to the folder
    required   whether a folder without sums is refused; a model may come from elsewhere
    """
    folder = Path(folder)
    sums = folder / SUMS
    if not sums.is_file():
        if required or not folder.is_dir():
            gone = sums if folder.is_dir() else folder
            raise UserError(f"{gone} does not exist; {remedy(folder)}, or `dvc pull` to fetch it")
        return
    text = sums.read_text(encoding="utf-8", errors="replace")
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    expected = {one[2]: one[1] for one in found if one}
    if not found or not all(found) or not text.endswith("\n"):
        raise UserError(f"{sums} is torn or was edited; {remedy(folder)}")
    for other in beside:
        if Path(os.path.relpath(other, folder)).as_posix() not in expected:
            raise UserError(f"{folder} does not belong to {other}: it is of another stage or system; {remedy(folder)}")
    for name, sum_of_it in expected.items():
        file = Path(os.path.normpath(folder / name))
        if not file.is_file():
            raise UserError(f"{file} is missing, and {folder} was written with it; {remedy(file)}")
        if digest(file) != sum_of_it:
            fault = (
                f"is not the one that {folder} was made with: one of them is of another run, torn or edited"
                if name.startswith("../")
                else "is not as it was written: it is torn, was edited, or is another file"
            )
            raise UserError(f"{file} {fault}; {remedy(folder)}")


def digest(file: Path) -> str:
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
