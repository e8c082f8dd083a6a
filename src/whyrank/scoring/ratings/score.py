"""What a system says of rated rows, out of fold, and how well it agrees with their labels.

A table of ratings has one row per rated row and target: rating_id, fold, group, target, label (0 to 1), prediction,
snapped (the prediction, brought to the distribution of the training labels where that helped within them).

Shapes: N rows · T targets
"""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder
from whyrank.core.prepared import Prepared
from whyrank.core.rerun import remedy
from whyrank.lexical import ratings as rating_words
from whyrank.lexical.ratings import Kernel
from whyrank.measure.metrics.correlation import Mean
from whyrank.measure.metrics.ratings import mean_column_spearman, per_fold
from whyrank.scoring.ratings import layouts as rating_layouts
from whyrank.scoring.ratings import vectors as rating_vectors
from whyrank.scoring.ratings.layouts import Row, Special
from whyrank.scoring.ratings.ridge import Predicted, out_of_fold

if TYPE_CHECKING:
    from whyrank.model.system import System

FIELDS = ("title", "body", "answer")
# In the folder of a trained system.
OUT_OF_FOLD = "ratings/out_of_fold.parquet"


class Rated(NamedTuple):
    """tables    by file name: `ratings.parquet`; of a frozen encoder, and without snapped, `ratings_blocks.parquet` (of
              the BERT family) and, where rows have question and answer, `ratings_layouts.parquet` with the column
              layout (joint | separate)
    metrics   flat and finite; what is undefined is left out
    """

    tables: dict[str, pd.DataFrame]
    metrics: dict[str, float]


NOTHING = Rated({}, {})


def lexical(texts: Prepared) -> Rated:
    """Ridge on TF-IDF of the raw fields: no token budget binds it."""
    rows = labelled(texts)
    if rows.empty:
        return NOTHING
    kernel = rating_words.kernel([rows[field].tolist() for field in FIELDS])
    return with_summary(by_ridge(texts, rows, kernel))


def frozen(system: "System", texts: Prepared, encoder: Encoder) -> Rated:
    """Ridge on the vectors of an encoder that never saw a label.

    Beside it the same in the layout that was not asked for, and on the means of all layers but the last.
    """
    rows = labelled(texts)
    if rows.empty:
        return NOTHING
    own = token_ids(texts, rows)
    found = with_summary(by_ridge(texts, rows, vector_kernel(system, own, encoder)))
    tables, metrics = dict(found.tables), dict(found.metrics)
    layers = rating_vectors.layer_features(system, texts, rows, encoder)
    if layers is not None:
        kernel = rating_vectors.mean_kernel([rating_vectors.kernel(feature_NF) for feature_NF in layers])
        table = by_ridge(texts, rows, kernel)
        tables["ratings_blocks.parquet"] = table.drop(columns="snapped")
        value = summary(table).get("ratings_spearman")
        metrics |= {} if value is None else {"ratings_blocks_spearman": value}
    other = rating_layouts.other_layout(own, Special.of(system.encoder))
    if other is not None:
        layouts = {
            rating_layouts.layout_of(own): found.tables["ratings.parquet"],
            rating_layouts.layout_of(other): by_ridge(texts, rows, vector_kernel(system, other, encoder)),
        }
        both = pd.concat([part.assign(layout=name) for name, part in sorted(layouts.items())], ignore_index=True)
        tables["ratings_layouts.parquet"] = both.drop(columns="snapped")
    return Rated(tables, metrics)


def vector_kernel(system: "System", rows: list[Row], encoder: Encoder) -> Kernel:
    return rating_vectors.kernel(rating_vectors.features(system, rows, encoder))


def by_ridge(texts: Prepared, rows: pd.DataFrame, kernel: Kernel) -> pd.DataFrame:
    """A table of ratings, each row predicted from the other folds."""
    label_NT = rows[texts.rating_targets].to_numpy(dtype=np.float64)
    return long_table(texts, rows, out_of_fold(kernel, label_NT, rows["fold"].to_numpy(), rows["group"].to_numpy()))


def tuned(texts: Prepared, file: Path) -> Rated:
    """What training left: rating_id, fold, target, prediction, snapped, of each labelled row and target once.

    Nothing of a system that was not trained to rate, though there are ratings. Raises UserError where it was trained
    on other ratings.
    """
    rows = labelled(texts)
    if rows.empty or not file.exists():
        return NOTHING
    keys = ["rating_id", "fold", "target"]
    labels = long_table(texts, rows, None)
    predicted = io.read_table(file).reindex(columns=[*keys, "prediction", "snapped"]).dropna()
    table = labels.merge(predicted.drop_duplicates(keys), on=keys)
    if len(table) != len(labels):
        raise UserError(
            f"{file} has predictions of {len(table)} of {len(labels)} labels: the system was trained on other ratings, "
            f"or the file was edited; {remedy(file)}"
        )
    return with_summary(table)


def labelled(texts: Prepared) -> pd.DataFrame:
    return texts.ratings[texts.ratings["use"] == "train"].reset_index(drop=True)


def token_ids(texts: Prepared, rows: pd.DataFrame) -> list[Row]:
    """Token ids of the texts of each row, one or two."""
    ids = [np.asarray(text_L, dtype=np.int64) for text_L in texts.texts.table["input_ids"]]
    numbers_N2 = rows[["first", "second"]].to_numpy(dtype=np.int64)
    return [tuple(ids[number] for number in row if number >= 0) for row in numbers_N2]


def long_table(texts: Prepared, rows: pd.DataFrame, found: Predicted | None) -> pd.DataFrame:
    """The targets of the first row, then those of the second, …; without predictions as far as the labels."""
    targets = texts.rating_targets
    table = rows.loc[rows.index.repeat(len(targets)), ["rating_id", "fold", "group"]].reset_index(drop=True)
    table["target"] = np.tile(targets, len(rows))
    table["label"] = rows[targets].to_numpy(dtype=np.float64).ravel()
    return table if found is None else table.assign(prediction=found[0].ravel(), snapped=found[1].ravel())


def with_summary(table: pd.DataFrame) -> Rated:
    return Rated({"ratings.parquet": table}, summary(table))


def summary(table: pd.DataFrame) -> dict[str, float]:
    """Of a table of ratings; correlations from -1 to 1, 0 at chance, are means over the targets where they are defined.

    ratings_spearman             over all rows, each predicted out of its fold
    ratings_spearman_fold_mean   of each fold by itself; their mean
    ratings_snapped_spearman, ratings_snapped_spearman_fold_mean   the same, of the snapped predictions
    ratings_undefined_columns    targets without a correlation over all rows
    ratings_constant_columns     targets that get one prediction for all rows of a fold, in any fold
    ratings_n                    rows
    """
    names = table["target"].drop_duplicates().tolist()
    columns = {key: table[key].to_numpy().reshape(-1, len(names)) for key in ("fold", "label", "prediction", "snapped")}
    fold_N, label_NT, prediction_NT, snapped_NT = columns["fold"][:, 0], *list(columns.values())[1:]
    whole, folds = (
        mean_column_spearman(prediction_NT, label_NT, names),
        per_fold(prediction_NT, label_NT, fold_N, names),
    )
    constant = {
        name for mean in folds.values() for name, why in mean.undefined.items() if why == "constant predictions"
    }
    values = {
        "ratings_spearman": whole.value,
        "ratings_spearman_fold_mean": mean_over(folds),
        "ratings_snapped_spearman": mean_column_spearman(snapped_NT, label_NT, names).value,
        "ratings_snapped_spearman_fold_mean": mean_over(per_fold(snapped_NT, label_NT, fold_N, names)),
        "ratings_undefined_columns": len(whole.undefined),
        "ratings_constant_columns": len(constant),
        "ratings_n": len(label_NT),
    }
    return {name: value for name, value in values.items() if value is not None}


def mean_over(folds: dict[int, Mean]) -> float | None:
    """Mean over the folds that have a value."""
    values = [mean.value for mean in folds.values() if mean.value is not None]
    return float(np.mean(values)) if values else None
