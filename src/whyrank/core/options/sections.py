"""What every section of params.yaml is: a frozen class whose fields stand beside their bounds and are checked by them.

A whole number stands for a fraction, and nothing else is converted; NaN and infinity are refused everywhere.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import ConfigDict

FILE = "params.yaml"
# Built when it is first used: a stage pays once for the whole tree, not for each class of it.
CHECKED = ConfigDict(extra="forbid", allow_inf_nan=False, defer_build=True)

# Upper bounds of sizes: above them a value is a slip of the keyboard.
MOST_TOKENS = 2**22  # of a batch
MOST_TEXT_TOKENS = 2**17  # of one text
MOST_ROWS = 2**16  # of a batch
MOST_STEPS = 10_000_000
MOST_ROUNDS = 10_000  # epochs, evaluations
MOST_FEATURES = 2**16  # of a vector
MOST_LAYERS = 1_000
MOST_ENTRIES = 1_000  # of a list
MOST_WEIGHT = 1.0e6  # of a loss
MOST_NUMBER = 1.0e9  # of a rating or a score, either side of 0

# The branches of a field that takes one of some words, or plain entries in their place; not a name that a key has.
WORD, PLAIN = "<word>", "<plain>"


def word_or_plain(value: Any) -> str:
    return WORD if isinstance(value, str) else PLAIN


class Fault(NamedTuple):
    """Options that do not go together. Keys are those of the section that says so, as in `head.dropout`."""

    key: str
    said: str  # goes on after the key: "is 3, which needs …"
    remedies: Sequence[str] = ()  # alternatives, each `key=value`


def repeated(key: str, values: Sequence[Any]) -> Iterator[Fault]:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        yield Fault(key, f"names {twice[0]!r} twice; name each once")
