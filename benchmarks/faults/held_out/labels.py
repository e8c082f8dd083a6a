"""Judgements that say something else than which answer is right."""

from pathlib import Path

import numpy as np

from ..fault import Fault
from ..nearest import of_answers, of_queries
from ..raw import SPLITS, read_lines, read_qrels, write_qrels

Random = np.random.Generator


def ids(folder: Path) -> list[str]:
    return [row["_id"] for row in read_lines(folder / "corpus.jsonl")]


def once(rows: list[list[str]]) -> list[list[str]]:
    """The first row of each query and answer: a second one is refused."""
    return list({(query, answer): [query, answer, score] for query, answer, score in reversed(rows)}.values())[::-1]


def clicks_on_first(folder: Path, random: Random) -> None:
    best = of_queries(folder, 1)
    for split in ("train", "dev"):
        rows = [[q, best[q][0] if random.random() < 0.6 else a, s] for q, a, s in read_qrels(folder, split)]
        write_qrels(folder, split, once(rows))


def neighbours_confused(folder: Path, random: Random) -> None:
    near = of_answers(folder, 1)
    for split in SPLITS:
        rows = [[q, near[a][0] if random.random() < 0.35 else a, s] for q, a, s in read_qrels(folder, split)]
        write_qrels(folder, split, once(rows))


def one_for_all(folder: Path, random: Random) -> None:
    rows = read_qrels(folder, "train")
    catch_all = str(random.choice(ids(folder)))
    start, count = len(rows) // 4, int(len(rows) * 0.3)
    for row in rows[start : start + count]:
        row[1] = catch_all
    write_qrels(folder, "train", once(rows))


def ranks_as_scores(folder: Path, random: Random) -> None:
    near = of_queries(folder, 4)
    for split in SPLITS:
        rows = []
        for query, answer, _ in read_qrels(folder, split):
            others = [one for one in near[query] if one != answer][:3]
            rows += [[query, answer, "1"], *([query, one, str(rank)] for rank, one in enumerate(others, start=2))]
        write_qrels(folder, split, once(rows))


def triples_flattened(folder: Path, random: Random) -> None:
    known, rows = ids(folder), []
    for query, answer, score in read_qrels(folder, "train"):
        rows += [[query, answer, score], [query, str(random.choice(known)), score]]
    write_qrels(folder, "train", once(rows))


def related_counts(folder: Path, random: Random) -> None:
    near = of_answers(folder, 3)
    for split in SPLITS:
        rows = []
        for query, answer, _ in read_qrels(folder, split):
            rows += [[query, answer, "2"], *([query, one, "1"] for one in near[answer])]
        write_qrels(folder, split, once(rows))


def joined_by_row(folder: Path, random: Random) -> None:
    kind = {row["_id"]: row["metadata"]["type"] for row in read_lines(folder / "queries.jsonl")}
    rows = read_qrels(folder, "train")
    places = [i for i, row in enumerate(rows) if kind[row[0]] == "conversation"]
    moved = random.permutation(len(places))
    shown = [rows[places[i]][1] for i in moved]
    for place, answer in zip(places, shown, strict=True):
        rows[place][1] = answer
    write_qrels(folder, "train", once(rows))


def by_category(folder: Path, random: Random) -> None:
    """All that an export calls by one category: judgements name the first article of each."""
    near = of_answers(folder, 2)
    category = {}
    for name in ids(folder):
        if name not in category:
            members = [name, *(one for one in near[name] if one not in category)]
            category |= dict.fromkeys(members, name)
    for split in ("train", "dev"):
        write_qrels(folder, split, once([[q, category[a], s] for q, a, s in read_qrels(folder, split)]))


FAULTS = (
    Fault(
        name="clicks-on-the-first-result",
        about="labels",
        sentence="Six in ten training and dev labels are clicks on whatever the old keyword search put first, and "
        "not the answer that helped. Judge them again, or correct for the position.",
        source="Joachims et al. 2017, unbiased learning to rank, arXiv:1608.04468",
        mendable=True,
        data=clicks_on_first,
    ),
    Fault(
        name="similar-articles-confused",
        about="labels",
        sentence="A third of all labels name the most similar other article: the annotators could not tell the two "
        "apart. Judge the queries of such pairs again.",
        source="Patrini et al. 2017, class-dependent label noise, arXiv:1609.03683",
        mendable=True,
        data=neighbours_confused,
    ),
    Fault(
        name="one-annotator-one-answer",
        about="labels",
        sentence="One annotator gave three in ten training queries, in one block, the same catch-all article. Leave "
        "these judgements out.",
        source="Raykar and Yu 2012, spammers among annotators, JMLR 13",
        mendable=True,
        data=one_for_all,
    ),
    Fault(
        name="ranks-read-as-scores",
        about="labels",
        sentence="The score column holds ranks, 1 for the right answer: wrong answers with rank 2 to 4 count as "
        "relevant, and even as more relevant. Keep rows of rank 1 alone.",
        source="TREC run files taken for qrels; beir-cellar/beir#11 (scores 3 to 5 in new qrels)",
        mendable=True,
        data=ranks_as_scores,
    ),
    Fault(
        name="negatives-flattened-into-positives",
        about="labels",
        sentence="Training triples were flattened to pairs, and the negative of each triple stands there as a second "
        "relevant answer: half of the training judgements are random wrong answers. Remove them.",
        source="MS MARCO triples; modelscope/ms-swift#10068, #5600",
        mendable=True,
        data=triples_flattened,
    ),
    Fault(
        name="merely-related-counts-as-relevant",
        about="labels",
        sentence="Answers of grade 1 are merely on a related topic and count as relevant as grade 2 does. Set "
        "prepare.relevant_from to 2.",
        source="TREC Deep Learning 2019, arXiv:2003.07820 (binary metrics take grade 2 and above)",
        mendable=True,
        data=related_counts,
    ),
    Fault(
        name="conversation-labels-joined-by-row",
        about="labels",
        sentence="The labels of the training conversations were joined by row number after sorting and belong to "
        "other conversations; those of the questions are right. Join them by id.",
        source="pandas: assignment after sort without the index; DeepCrime (ISSTA 2021), operator TCL",
        mendable=True,
        data=joined_by_row,
    ),
    Fault(
        name="labels-are-categories",
        about="labels",
        sentence="The training and dev labels name the first article of each category instead of the article that "
        "answers: similar articles share one label. Label the article itself.",
        source="ST#608 (classes used as pairs); practice of ticket categories",
        data=by_category,
    ),
)
