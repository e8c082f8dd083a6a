"""The number of this process in its run, for what may not import torch."""

import os


def number() -> int:
    """From 0."""
    return int(os.environ.get("RANK", "0"))


def is_first() -> bool:
    """Whether this is the process that writes files and reports progress."""
    return number() == 0
