"""Question or conversation: the type that counts, as against the one the data declares."""

from collections.abc import Sequence

QUESTION = "question"
CONVERSATION = "conversation"
TYPES = (QUESTION, CONVERSATION)


def count_as(declared: Sequence[str], texts: Sequence[str], *, short_conversation: int) -> list[str]:
    """A conversation of fewer than `short_conversation` characters counts as a question; a question stays one.

    declared   "question", "conversation", or "" where the set declares no types: then the length alone decides
    """
    return [
        QUESTION if kind == QUESTION or len(text) < short_conversation else CONVERSATION
        for kind, text in zip(declared, texts, strict=True)
    ]
