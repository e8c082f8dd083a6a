"""A ranking set on the hub, in the BEIR habit: configs `corpus`, `queries`, and the judgements."""

from typing import Any

import datasets
from datasets.exceptions import DatasetsError

from whyrank.core.errors import UserError
from whyrank.data.raw import RawSource, RawTable, Row, name_splits


def read_hub(name: str) -> RawSource:
    """Read a hub id, or a local copy of a hub repository, through `datasets`.

    Judgements are looked for in the config `qrels`, then in `default` beside the other two (the MTEB habit), then in
    the repository `<name>-qrels` (the BEIR habit). Raises UserError when the id or a part of it cannot be had.
    """
    try:
        configs = datasets.get_dataset_config_names(name)
        missing = sorted({"corpus", "queries"} - set(configs))
        if missing:
            raise UserError(f"{name}: no config '{missing[0]}' (found {', '.join(configs)}); a BEIR set is needed")
        qrels = next((config for config in ("qrels", "default") if config in configs), None)
        judged = datasets.load_dataset(name, qrels) if qrels else datasets.load_dataset(f"{name}-qrels")
        return RawSource(
            corpus=_table(name, "corpus", datasets.load_dataset(name, "corpus")),
            queries=_table(name, "queries", datasets.load_dataset(name, "queries")),
            qrels=name_splits(
                {split: _rows(f"qrels/{split}", part) for split, part in judged.items()}, f"{name} qrels"
            ),
        )
    except (DatasetsError, FileNotFoundError, ConnectionError) as error:
        reason = str(error.__cause__ or error).splitlines()[0][:200]
        raise UserError(
            f"source '{name}' is no folder in BEIR layout and no hub set that can be read: {reason}"
        ) from error


def _table(name: str, config: str, parts: Any) -> RawTable:
    table = _rows(config, datasets.concatenate_datasets(list(parts.values())))
    if not table.rows:
        raise UserError(f"{name}: config '{config}' is empty; it needs at least one row")
    return table


def _rows(file: str, dataset: Any) -> RawTable:
    return RawTable(file, [Row(number, dict(values)) for number, values in enumerate(dataset, start=1)])
