"""Patch functions of the code under test: what most faults of code need."""

import functools
from collections.abc import Callable
from typing import Any


def wrapped(owner: Any, name: str, change: Callable[..., Any]) -> None:
    """In place of `owner.name`: `change(old, *arguments)`. Who asks for its parameters is told those of the old one."""
    old = getattr(owner, name)

    @functools.wraps(old)
    def new(*given: Any, **named: Any) -> Any:
        return change(old, *given, **named)

    setattr(owner, name, new)
