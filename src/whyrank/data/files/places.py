"""Which files of a folder are data, and whether they lie where DVC watches: else a run would not see them change."""

import os
import re
from pathlib import Path

from whyrank.core.errors import UserError

# What is written for people, and what systems leave in folders.
_NOT_DATA = re.compile(
    r"\..*|(README|LICEN[CS]E|NOTICE|CHANGELOG|CITATION).*|.*\.md|Thumbs\.db|desktop\.ini", re.IGNORECASE
)


def is_data(path: Path) -> bool:
    return not _NOT_DATA.fullmatch(path.name)


def below(folder: str | Path, path: Path, key: str, folder_key: str) -> Path:
    """The path. Raises UserError where it leaves the folder; DVC follows the links that lie in it.

    key          what gives the path, as it is said;  folder_key   name of the parameter that gives the folder
    """
    inside, whole = os.path.abspath(path), os.path.abspath(folder)  # noqa: PTH100 (links are not to be followed)
    if os.path.commonpath([inside, whole]) != whole:
        raise UserError(
            f"params.yaml: {key} leads to {path}, which is not below `{folder_key}` ({folder}): a run would not "
            "see it change; put it there, or a link to it"
        )
    return path
