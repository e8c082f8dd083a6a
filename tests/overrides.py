"""What the settings of `dvc exp run -S` make of parameters: DVC reads and applies them by Hydra and OmegaConf."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf, open_dict


def parsed(settings: Sequence[str]) -> dict[str, Any]:
    """Dotted key -> value of settings that change keys and neither add nor remove one."""
    overrides = OverridesParser.create().parse_overrides(list(settings))
    assert not any(override.is_add() or override.is_delete() for override in overrides)
    return {override.key_or_group: override.value() for override in overrides}


def applied(values: dict[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Parameters after the settings, of which `~key` removes a key; an unknown key is an error."""
    config = OmegaConf.create(copy.deepcopy(values))
    OmegaConf.set_struct(config, True)
    for override in OverridesParser.create().parse_overrides(list(settings)):
        key = override.key_or_group
        if override.is_delete():
            section, _, name = key.rpartition(".")
            with open_dict(config):
                del OmegaConf.select(config, section)[name]
        else:
            OmegaConf.update(
                config, key, override.value(), merge=True, force_add=override.is_add() or override.is_force_add()
            )
    changed = OmegaConf.to_container(config)
    assert isinstance(changed, dict)
    return changed


def apply(file: Path, settings: Sequence[str]) -> None:
    """The same for params.yaml itself."""
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(applied(values, settings), sort_keys=False, allow_unicode=True), encoding="utf-8")
