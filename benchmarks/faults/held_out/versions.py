"""Judgements and corpus that do not belong together: other versions, ids and units."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from ..fault import Fault
from ..raw import SPLITS, read_lines, read_qrels, write_lines, write_qrels
from .data import sentences
from .labels import ids, once

Random = np.random.Generator


def off_by_one(folder: Path, random: Random) -> None:
    known = ids(folder)
    first = int(len(known) * 0.4)
    following = dict(zip(known[first:], [*known[first + 1 :], known[first]], strict=True))
    for split in SPLITS:
        write_qrels(folder, split, [[q, following.get(a, a), s] for q, a, s in read_qrels(folder, split)])


def redirects(folder: Path, random: Random) -> None:
    rows, kept = read_lines(folder / "corpus.jsonl"), []
    for row in rows:
        row.pop("metadata", None)
        if random.random() < 0.35:
            kept.append(row | {"_id": f"help-center-{random.integers(10**8, 10**9)}"})
            row |= {"title": "", "text": "This page has moved. You will be redirected to the new help center."}
        kept.append(row)
    write_lines(folder / "corpus.jsonl", kept)


def first_chunk_alone(folder: Path, random: Random) -> None:
    kept = []
    for row in read_lines(folder / "corpus.jsonl"):
        parts = sentences(row.get("text") or "")
        chunks = [" ".join(part) for part in np.array_split(np.array(parts, dtype=object), min(3, len(parts) or 1))]
        # The part that keeps the id is the one that the judgements mean from now on, whatever the query asks.
        own = int(random.integers(len(chunks)))
        for number, chunk in enumerate(chunks):
            name = row["_id"] if number == own else f"{row['_id']}#{number}"
            kept.append({"_id": name, "title": row.get("title") or "", "text": chunk or row.get("title") or "-"})
    write_lines(folder / "corpus.jsonl", kept)


def test_of_another_version(folder: Path, random: Random) -> None:
    known = ids(folder)
    chosen = random.permutation(known)[: max(2, int(len(known) * 0.45))].tolist()
    other = dict(zip(chosen, chosen[1:] + chosen[:1], strict=True))
    write_qrels(folder, "test", [[q, other.get(a, a), s] for q, a, s in read_qrels(folder, "test")])


def ids_cut_off(folder: Path, random: Random) -> None:
    known = sorted(ids(folder))
    for length in range(max(map(len, known)), 0, -1):
        groups = defaultdict(list)
        for name in known:
            groups[name[:length]].append(name)
        if len(groups) <= 0.7 * len(known):
            break
    first = {name: group[0] for group in groups.values() for name in group}
    for split in SPLITS:
        write_qrels(folder, split, once([[q, first[a], s] for q, a, s in read_qrels(folder, split)]))


FAULTS = (
    Fault(
        name="ids-one-off-after-a-deletion",
        about="labels",
        sentence="The judgements count articles by row: one was deleted, and every judgement behind it names the "
        "article after the right one, six in ten of them. Move them back by one.",
        source="beir-cellar/beir#11 (qrels of another version of the corpus)",
        mendable=True,
        data=off_by_one,
    ),
    Fault(
        name="labels-point-to-moved-pages",
        about="labels",
        sentence="A third of the labelled pages were moved: the label points to a stub that says so, and the article "
        "itself is in the corpus under a new id that nobody judged. Follow the redirects.",
        source="link rot in query logs; beir-cellar/beir#101 (judged ids that are gone)",
        mendable=True,
        data=redirects,
    ),
    Fault(
        name="one-chunk-of-an-article-judged",
        about="labels",
        sentence="Articles were cut into three chunks, and the judgement of an article went to one chunk whatever "
        "the query asks: mostly another, unjudged chunk has the answer. Judge chunks, or rank whole "
        "articles.",
        source="chunked retrieval sets; 2405.04727 on unjudged passages",
        data=first_chunk_alone,
    ),
    Fault(
        name="test-judged-on-another-version",
        about="labels",
        sentence="The test judgements were made with another version of the corpus: nearly half of them name "
        "articles whose ids mean something else now, so the figures are untrue. Map the ids.",
        source="beir-cellar/beir#11, allenai/ir_datasets#69",
        mendable=True,
        data=test_of_another_version,
    ),
    Fault(
        name="ids-cut-off-on-import",
        about="labels",
        sentence="The column of answer ids was too short on import: ids that begin alike were cut to the same one, "
        "and judgements name the first article of each such group. Import the ids whole.",
        source="VARCHAR truncation; spreadsheet ids; SuDIS-ZJU/nlcTables#5 (colliding ids)",
        mendable=True,
        data=ids_cut_off,
    ),
)
