"""Patch functions of the code under test: what most faults of code need."""

from collections.abc import Callable
from typing import Any


def wrapped(owner: Any, name: str, change: Callable[..., Any]) -> None:
    """In place of `owner.name`: `change(old, *arguments)`."""
    old = getattr(owner, name)
    setattr(owner, name, lambda *given, **named: change(old, *given, **named))
