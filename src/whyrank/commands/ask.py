"""`whyrank ask`: the best answers to a text of one's own, under a system and beside the untrained encoder and BM25."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UsageError, UserError
from whyrank.core.options import params
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.scoring.asking import Asked, Ranker, best

COLUMNS = ["number", "text", "system", "rank", "answer_id", "score", "title"]
# Texts ranked at a time, and characters of an answer that has no title.
AT_ONCE, SHOWN = 256, 70


class Answering:
    """Rankers of a system and of those beside it, loaded once."""

    def __init__(self, system: str, best: int) -> None:
        """Raises UserError where one of them cannot be asked."""
        values = read_yaml(PARAMS)
        params.check(values)
        self.asked, self.best = Asked(Path(), values), best
        self.rankers: dict[str, Ranker] = {name: self.asked.ranker(name) for name in beside(system, values["systems"])}
        answers = self.asked.texts.answers
        first_line = answers["raw_text"].str.split("\n").str[0].str.slice(0, SHOWN)
        self.title_A = answers["title"].where(answers["title"].str.strip() != "", first_line).to_numpy()

    def __call__(self, texts: Sequence[str]) -> pd.DataFrame:
        """COLUMNS: the best answers of every text under every system, in their order."""
        ids, tables = self.asked.texts.answers["answer_id"].to_numpy(), []
        for name, rank in self.rankers.items():
            found = best(rank(texts), self.best)
            for number, (answer_K, score_K) in enumerate(zip(found.answer_QK, found.score_QK, strict=True)):
                own = {"number": number + 1, "text": texts[number], "system": name, "rank": range(1, len(answer_K) + 1)}
                tables.append(
                    pd.DataFrame(own | {"answer_id": ids[answer_K], "score": score_K, "title": self.title_A[answer_K]})
                )
        return pd.concat(tables, ignore_index=True).sort_values("number", kind="stable")[COLUMNS]


def beside(system: str, systems: dict[str, dict[str, str]]) -> list[str]:
    """The system asked for, the first encoder as published, and BM25, as far as there are any; each once."""
    zero_shot = [name for name, one in systems.items() if (one["kind"], one["role"]) == ("encoder", "zero-shot")]
    lexical = [name for name, one in systems.items() if one["kind"] == "bm25"]
    return list(dict.fromkeys([system, *zero_shot[:1], *lexical[:1]]))


def run(arguments: Namespace, here: Path) -> None:
    """Print the answers to the text given, to each line of a file as CSV, or else to each line that comes in.

    here   the folder that the user stands in
    """
    if arguments.text is not None and arguments.file is not None:
        raise UsageError("name a text or --file, not both")
    texts = None if arguments.file is None else lines(here / arguments.file)
    answering = Answering(arguments.system, arguments.best)
    if texts is not None:
        for start in range(0, len(texts), AT_ONCE):
            table = answering(texts[start : start + AT_ONCE])
            table["number"] += start
            print(table.to_csv(index=False, header=start == 0, float_format="%.6g"), end="", flush=True)
        return
    for text in [arguments.text] if arguments.text is not None else typed():
        began = time.monotonic()
        table = answering([text])
        print(shown(table), flush=True)
        print(f"{1000 * (time.monotonic() - began):.0f} ms", file=sys.stderr)


def lines(file: Path) -> list[str]:
    """The texts of a file, one a line, without empty ones. Raises UserError where there is none."""
    texts = [line.strip() for line in io.read_lines(file) if line.strip()]
    if not texts:
        raise UserError(f"{file} has no text; write one a line")
    return texts


def typed() -> Iterator[str]:
    """Lines of standard input; on a terminal with a prompt."""
    is_typed = sys.stdin.isatty()
    while True:
        print("> " if is_typed else "", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


def shown(table: pd.DataFrame) -> str:
    """One text's answers, a paragraph for each system."""
    width = table["answer_id"].astype(str).str.len().max()
    parts = []
    for name, own in table.groupby("system", sort=False):
        rows = [
            f"  {row['rank']}  {row['score']:7.3f}  {row['answer_id']!s:{width}}  {row['title']}"
            for row in own.to_dict("records")
        ]
        parts.append("\n".join([str(name), *rows]))
    return "\n".join(parts) + "\n"
