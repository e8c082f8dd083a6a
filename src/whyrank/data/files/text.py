"""Texts that are equal but for how they are written, and cuts to a token budget at word boundaries.

The tokenizer is known only as a function that counts.
"""

from collections.abc import Callable, Sequence

from whyrank.lexical.words import first_half, pieces


def exact_key(text: str, parts: list[str]) -> str:
    """Equal for texts that differ in case, white space and punctuation alone; `parts` are the text's `words`."""
    # A text without any word ("???") is compared as it is written.
    return " ".join(parts) if parts else f"\n{text.strip()}"


CountTokens = Callable[[list[str]], list[int]]


def cut(texts: Sequence[str], head: int, tail: int, *, count_tokens: CountTokens) -> list[str]:
    """The first `head` and the last `tail` tokens of each text, in whole words; a text within the sum is left whole.

    Tokens are added up over words, each distinct word counted once, and the result is counted again: where the
    tokenizer joins words (the sum was too low), words are dropped from the end of the head until it fits.
    """
    budget = head + tail
    results = list(texts)
    long = [i for i, n in enumerate(count_tokens(results)) if n > budget]
    found = [pieces(texts[i]) for i in long]
    distinct = list(dict.fromkeys(piece for text in found for piece in text))
    price = dict(zip(distinct, count_tokens(distinct), strict=True)) if distinct else {}
    ends = [_ends([price[piece] for piece in text], head, tail) for text in found]
    parts = [(text[:start], text[stop:]) for text, (start, stop) in zip(found, ends, strict=True)]
    open_ = list(range(len(long)))
    while open_:
        for k in open_:
            results[long[k]] = _joined(*parts[k])
        counts = count_tokens([results[long[k]] for k in open_])
        excess = {k: n - budget for k, n in zip(open_, counts, strict=True) if n > budget}
        open_ = [k for k in excess if _drop(*parts[k], excess[k])]
    return results


def _ends(prices: Sequence[int], head: int, tail: int) -> tuple[int, int]:
    """(start, stop): the longest prefix [:start] within `head` tokens and the longest suffix [stop:] within `tail`."""
    start, stop = 0, len(prices)
    while start < stop and prices[start] <= head:
        head -= prices[start]
        start += 1
    while stop > start and prices[stop - 1] <= tail:
        tail -= prices[stop - 1]
        stop -= 1
    if start == 0 and stop == len(prices):
        # Nothing fits: one word is kept and cut by `_drop`, because an empty text can match nothing.
        return (1, len(prices)) if head else (0, len(prices) - 1)
    return start, stop


def _drop(head: list[str], tail: list[str], excess: int) -> bool:
    """Drop `excess` words at the cut, in place; a single word loses half of itself. False when that is impossible."""
    if len(head) + len(tail) > 1:
        from_head = min(excess, len(head) - (not tail))
        del head[len(head) - from_head :]
        del tail[: min(excess - from_head, len(tail) - (not head))]
        return True
    word = (head or tail)[0].strip()
    (head or tail)[0] = first_half(word)
    return len(word) > 1


def _joined(head: list[str], tail: list[str]) -> str:
    return f"{''.join(head).strip()} {''.join(tail).strip()}".strip()
