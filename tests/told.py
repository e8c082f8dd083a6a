"""What a file of findings tells: by code and system, also where one entry speaks of several systems."""

import json
from pathlib import Path
from typing import Any


def by_system(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Each entry under its own system and under those that it is also about; its cause and fix are those of all."""
    entries = json.loads(file.read_text())
    return {(entry["code"], one["system"]): entry | one for entry in entries for one in (entry, *entry["also"])}
