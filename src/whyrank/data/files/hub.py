"""Sets on the hub: a ranking set in the BEIR habit (configs `corpus`, `queries`, judgements), a split of any other."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import datasets
import yaml
from datasets.exceptions import DatasetsError

from whyrank.core import network
from whyrank.core.errors import UserError, said_by
from whyrank.data.files.readers import SPLIT_NAMES, RawSource, RawTable, Row, name_splits

# What `datasets` lets through of a set with a script, torn files or a broken README.
_OF_LIBRARIES = (FileNotFoundError, ConnectionError, RuntimeError, ValueError, BadZipFile, yaml.YAMLError)


def read_hub(name: str) -> RawSource:
    """Read a hub id, or a local copy of a hub repository, through `datasets`.

    Judgements are looked for in the config `qrels`, then in `default` beside the other two (the MTEB habit), then in
    the repository `<name>-qrels` (the BEIR habit). Raises UserError when the id or a part of it cannot be had.
    """
    _check(f"source '{name}'", name)
    with _reading(f"source '{name}' is no folder in BEIR layout and no hub set that can be read"):
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


def read_hub_split(name: str, config: str, split: str) -> tuple[str, list[Row], dict[str, list[str]]]:
    """One split of a hub set, or of a local copy: what to call it, its rows, and column -> class names.

    config   may be empty where there is one config, or one named `default`
    split    a split's name, or train, dev or test as the hub may call it
    Raises UserError when the id, the config or the split cannot be had.
    """
    _check(f"hub set '{name}'", name)
    with _reading(f"hub set '{name}' cannot be read"):
        config = _config(name, config)
        splits = datasets.get_dataset_split_names(name, config)
        named = [split] if split in splits else [other for other in splits if SPLIT_NAMES.get(other) == split]
        if not named:
            raise UserError(f"{name}: no split '{split}' (found {', '.join(splits)}); set `split`")
        part = datasets.load_dataset(name, config, split=named[0])
    classes = {c: f.names for c, f in part.features.items() if isinstance(f, datasets.ClassLabel)}
    file = f"{name}/{named[0]}"
    return file, _rows(file, part).rows, classes


def _config(name: str, config: str) -> str:
    configs = datasets.get_dataset_config_names(name)
    if not config and len(configs) > 1 and "default" not in configs:
        raise UserError(f"{name}: several configs ({', '.join(configs)}); set `config` to one of them")
    if config and config not in configs:
        raise UserError(f"{name}: no config '{config}' (found {', '.join(configs)}); set `config` to one of them")
    return config or ("default" if "default" in configs else configs[0])


def _check(what: str, name: str) -> None:
    """Raise UserError where `name` is no folder and the hub does not answer."""
    if not Path(name).exists() and not datasets.config.HF_HUB_OFFLINE:
        network.check_hub(what)


@contextmanager
def _reading(failure: str) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except (DatasetsError, *_OF_LIBRARIES) as error:
        reason = said_by(error.__cause__ or error)
        raise UserError(f"{failure}: {reason}") from error


def _table(name: str, config: str, parts: Any) -> RawTable:
    table = _rows(config, datasets.concatenate_datasets(list(parts.values())))
    if not table.rows:
        raise UserError(f"{name}: config '{config}' is empty; it needs at least one row")
    return table


def _rows(file: str, dataset: Any) -> RawTable:
    return RawTable(file, [Row(number, dict(values)) for number, values in enumerate(dataset, start=1)])
