"""What the splits share: duplicates that cross them, and equal texts that want different answers."""

import pandas as pd

from whyrank.data.files.raw import SPLITS
from whyrank.data.ranking.duplicates import Duplicates

LEAK_COLUMNS = ["query_left", "split_left", "query_right", "split_right", "kind", "similarity", "same_answer"]
CONFLICT_COLUMNS = ["query_left", "split_left", "query_right", "split_right"]


def relevant_sets(queries: pd.DataFrame, relevant: pd.DataFrame) -> list[frozenset[str]]:
    """The relevant answers of each query, in the order of `queries`."""
    answers = relevant.groupby("query_id")["answer_id"].agg(frozenset)
    return answers.loc[queries["query_id"]].tolist()


def leak_table(queries: pd.DataFrame, relevant: pd.DataFrame, duplicates: Duplicates) -> pd.DataFrame:
    """Duplicates across splits; left is the earlier split in the order train, dev, test.

    queries      query_id, split; row i is text i of `duplicates`
    relevant     query_id, answer_id of the relevant pairs
    Returns `LEAK_COLUMNS`. Every query on the right is listed with each *distinct* text and answer set on the left
    that duplicates it, not with every copy of that text, so the table stays linear where one text repeats a lot.
    """
    answers = relevant_sets(queries, relevant)
    here = pd.DataFrame(
        {"same": duplicates.same, "rank": queries["split"].map(SPLITS.index).to_numpy(), "row": range(len(queries))}
    )
    wanted = pd.Series([tuple(sorted(names)) for names in answers], dtype=object)
    first = here.assign(wanted=wanted).drop_duplicates(["same", "rank", "wanted"]).drop(columns="wanted")
    table = first.merge(_links(duplicates), on="same").merge(
        here, left_on="other", right_on="same", suffixes=("_left", "_right")
    )
    table = table[table["rank_left"] < table["rank_right"]].sort_values(["row_left", "row_right"], ignore_index=True)
    ids, splits = queries["query_id"].to_numpy(), queries["split"].to_numpy()
    left, right = table["row_left"].to_numpy(), table["row_right"].to_numpy()
    shared = [bool(answers[a] & answers[b]) for a, b in zip(left, right, strict=True)]
    columns = (ids[left], splits[left], ids[right], splits[right], table["kind"], table["similarity"], shared)
    return pd.DataFrame(dict(zip(LEAK_COLUMNS, columns, strict=True)))


def _links(duplicates: Duplicates) -> pd.DataFrame:
    """same, other, kind, similarity: which distinct texts duplicate which, both ways, and each repeated text itself."""
    near = duplicates.pairs[duplicates.pairs["kind"] != "exact"].rename(columns={"left": "same", "right": "other"})
    back = near.rename(columns={"same": "other", "other": "same"})
    repeated = duplicates.pairs.loc[duplicates.pairs["kind"] == "exact", "left"].drop_duplicates()
    itself = pd.DataFrame({"same": repeated, "other": repeated, "kind": "exact", "similarity": 1.0})
    return pd.concat([near, back, itself], ignore_index=True)


def conflict_table(queries: pd.DataFrame, relevant: pd.DataFrame, duplicates: Duplicates) -> pd.DataFrame:
    """Equal texts whose relevant answers are disjoint: no ranker can serve both.

    Each such query stands once on the right, with the first equal query it contradicts on the left.
    """
    answers = relevant_sets(queries, relevant)
    ids, splits = queries["query_id"].tolist(), queries["split"].tolist()
    seen: dict[int, dict[frozenset[str], int]] = {}
    rows = []
    for right, (same, wanted) in enumerate(zip(duplicates.same.tolist(), answers, strict=True)):
        earlier = seen.setdefault(same, {})
        left = next((row for other, row in earlier.items() if not other & wanted), None)
        if left is not None:
            rows.append((ids[left], splits[left], ids[right], splits[right]))
        earlier.setdefault(wanted, right)
    return pd.DataFrame(rows, columns=CONFLICT_COLUMNS)


def leaked_share(leaks: pd.DataFrame, queries: pd.DataFrame, *, train: str = "train", held_out: str = "test") -> float:
    """Share of the held-out queries that have a duplicate in train; 0 where nothing leaks. `held_out` has queries."""
    crossing = leaks[(leaks["split_left"] == train) & (leaks["split_right"] == held_out)]
    return float(crossing["query_right"].nunique() / (queries["split"] == held_out).sum())
