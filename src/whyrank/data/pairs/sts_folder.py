"""A year of the STS tasks in SentEval's layout: `STS.input.<subset>.txt` beside `STS.gs.<subset>.txt`."""

from pathlib import Path

from whyrank.core.errors import UserError
from whyrank.data.files.raw import Row
from whyrank.data.files.readers import read_tsv
from whyrank.data.pairs.layouts import Layout

LAYOUT = Layout("sentence1", "sentence2", "score", "scores", subset="subset")


def subset_files(folder: Path) -> tuple[dict[str, tuple[Path, Path]], list[Path]]:
    """Subset -> its input file and its gold file, and the files whose counterpart is not there."""
    inputs, gold = (_by_subset(folder, f"STS.{kind}.") for kind in ("input", "gs"))
    both = {subset: (inputs[subset], gold[subset]) for subset in inputs if subset in gold}
    alone = [files[subset] for files in (inputs, gold) for subset in files if subset not in both]
    return both, alone


def read_subset(subset: str, texts: Path, gold: Path) -> list[Row]:
    """The pairs in the order of the lines; an empty gold line leaves an empty score.

    Raises UserError where the two files differ in length: scores would stand beside other pairs' texts.
    """
    lengths = [_line_count(texts), _line_count(gold)]
    if lengths[0] != lengths[1]:
        raise UserError(f"{gold} has {lengths[1]} lines, {texts.name} has {lengths[0]}; a pair needs one in each")
    pairs = {row.line: row for row in read_tsv(texts, [LAYOUT.text1, LAYOUT.text2])}
    # A gold line that is no UTF-8 is no number either, and is rejected as that.
    scores = {row.line: row.cells.get(LAYOUT.label, row.shown) for row in read_tsv(gold, [LAYOUT.label])}
    rows = []
    for line in sorted(pairs.keys() | scores.keys()):
        pair = pairs.get(line, Row(line))
        cells = pair.cells | {LAYOUT.label: scores.get(line, ""), LAYOUT.subset: subset}
        rows.append(Row(line, cells, pair.fault, pair.shown))
    return rows


def _by_subset(folder: Path, prefix: str) -> dict[str, Path]:
    files = sorted(folder.glob(f"{prefix}*.txt"))
    return {file.name.removeprefix(prefix).removesuffix(".txt"): file for file in files}


def _line_count(path: Path) -> int:
    content = path.read_bytes()
    return content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
