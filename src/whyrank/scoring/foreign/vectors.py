"""Vectors of another tool: a folder with those of queries and those of answers.

Each is `query_vectors.npy` beside `query_ids.txt` (an id a line), or `query_vectors.parquet` with a column `id` and
either a column `vector` of lists or a column for each feature; of answers the same.

Shapes: N queries of all splits · A answers · D features · M rows of a file
"""

from pathlib import Path

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UserError, said_by
from whyrank.core.options.systems import System
from whyrank.scoring.foreign.ids import places
from whyrank.scoring.foreign.parquet import read_parquet
from whyrank.scoring.ranking import representation
from whyrank.scoring.ranking.representation import Vectors
from whyrank.scoring.tasks import Scored, Tasks


def vectors(system: System, tasks: Tasks) -> Scored:
    """Rank by the cosine or the dot product of foreign vectors. Raises UserError where one is missing or unusable."""
    folder, texts = Path(system.made_of), tasks.texts
    query_ND, query_names = read(folder, "query", texts.queries["query_id"].tolist())
    answer_AD, answer_names = read(folder, "answer", texts.answers["answer_id"].tolist())
    query_width, answer_width = query_ND.shape[1], answer_AD.shape[1]
    if query_width != answer_width:
        raise UserError(f"{folder}: vectors of queries have {query_width} features and those of answers {answer_width}")
    if query_names and answer_names:
        if other := [name for name in query_names if name not in answer_names]:
            raise UserError(f"{folder}: answers have no feature {other[0]!r}, which queries have; name both alike")
        answer_AD = answer_AD[:, [answer_names.index(name) for name in query_names]]
    found = Vectors(query_ND, answer_AD)
    query_ND, answer_AD = (_unit(rows) if system.similarity == "cosine" else rows for rows in found)
    answer_DA = np.ascontiguousarray(answer_AD.T)

    def score(query_Q: np.ndarray) -> np.ndarray:
        return np.asarray(query_ND[query_Q] @ answer_DA)

    run, others = tasks.rank(score), tasks.rank_others(score)
    geometry = representation.describe(found, texts, run.top, tasks.seed)
    geometry["score_kind_cosine"] = int(system.similarity == "cosine")
    return Scored(run, geometry=geometry, vectors=found, others=others)


def read(folder: Path, what: str, wanted: list[str]) -> tuple[np.ndarray, list[str]]:
    """The vectors of these ids in this order, float32, and the names of their features where they have any.

    what   `query` or `answer`
    """
    table, array, ids = (folder / f"{what}_{name}" for name in ("vectors.parquet", "vectors.npy", "ids.txt"))
    if table.exists():
        file, found, vector_MD, names = table, *_of_table(table)
    elif array.exists() and ids.exists():
        file, found, vector_MD, names = ids, _ids(ids), _of_array(array), []
        if len(found) != len(vector_MD):
            raise UserError(f"{ids} has {len(found):,} ids, and {array} {len(vector_MD):,} rows; one id a row")
    else:
        raise UserError(
            f"{folder} has neither {table.name} nor {array.name} with {ids.name}; docs/systems.md shows them"
        )
    place = places(str(file), what, found, wanted)
    if vector_MD.dtype.kind != "f":
        raise UserError(f"{file}: vectors are {vector_MD.dtype}; save them as float16, float32 or float64")
    chosen = vector_MD[place].astype(np.float32)
    if not (finite := np.isfinite(chosen).all(axis=1)).all():
        raise UserError(
            f"{file}: the vector of {what} id {wanted[int(np.argmin(finite))]!r} is not finite; encode it anew"
        )
    return chosen, names


def _of_array(file: Path) -> np.ndarray:
    try:
        found: object = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{file} is no NumPy array ({said_by(error)}); write it with numpy.save") from error
    if not isinstance(found, np.ndarray):
        raise UserError(f"{file} is an archive of arrays; save one with numpy.save")
    if found.ndim != 2 or not found.size:
        raise UserError(f"{file} has the shape {found.shape}; it needs a row for each id and a column for each feature")
    return found


def _ids(file: Path) -> list[str]:
    """An id a line; the last line may end or not."""
    *lines, last = [line.removesuffix("\r") for line in io.read_lines(file)]
    return [*lines, last] if last else lines


def _of_table(file: Path) -> tuple[list[str], np.ndarray, list[str]]:
    """Ids, vectors, and the names of the features where they have any."""
    table = read_parquet(file)
    if "id" not in table or len(table.columns) < 2 or table.empty:
        raise UserError(f"{file} has the columns {', '.join(map(str, table))}; it needs `id`, and `vector` or features")
    found = table["id"].astype(str).tolist()
    if "vector" not in table:
        features = table.drop(columns="id")
        is_float = all(map(pd.api.types.is_float_dtype, features.dtypes))
        vector_MD = features.to_numpy(dtype=np.float32, na_value=np.nan) if is_float else features.to_numpy()
        return found, vector_MD, features.columns.tolist()
    widths = table["vector"].map(lambda one: len(one) if hasattr(one, "__len__") else -1)
    if (other := widths[widths != widths.iloc[0]]).size or widths.iloc[0] < 1:
        row = other.index[0] if other.size else 0
        raise UserError(f"{file}: the vector of id {found[row]!r} has another length than the first, or none")
    return found, np.stack(table["vector"].to_list()), []


def _unit(rows_ND: np.ndarray) -> np.ndarray:
    length_N1 = np.linalg.norm(rows_ND, axis=1, keepdims=True)
    return np.asarray(rows_ND / np.where(length_N1 > 0, length_N1, 1))
