"""Texts from data, made safe to show: one line, no control characters, no longer than there is room for."""

import re

# Controls could drive a terminal; explicit bidirectional overrides could reorder what stands around the text.
_UNPRINTABLE = re.compile("[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+")


def one_line(text: str) -> str:
    """Without control characters, with single spaces."""
    return " ".join(_UNPRINTABLE.sub(" ", text).split())


def shorten(text: str, length: int) -> str:
    """One line of at most `length` characters, cut at a space where one is near, and then ending in an ellipsis."""
    line = one_line(text)
    if len(line) <= length:
        return line
    cut = line[: length - 1]
    space = cut.rfind(" ")
    return (cut[:space] if space > length // 2 else cut).rstrip() + "…"
