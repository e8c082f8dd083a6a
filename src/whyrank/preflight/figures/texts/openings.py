"""How texts begin: a first word that nearly all of one type have, and hardly one of the other."""

from collections import Counter

from whyrank.preflight.figures.texts.read import Figure, Read

# Texts of a type that a share is told of.
FEWEST = 20


def figures(read: Read) -> list[Figure]:
    """opening   share of the texts of each type that begin with the first word by which the types differ most, which
    is the example; none where a type has fewer than 20 texts"""
    firsts = {kind: [_first(read.queries[row]) for row in rows] for kind, rows in read.kinds.items()}
    if len(firsts) < 2 or min(map(len, firsts.values())) < FEWEST:
        return []
    shares = {kind: {word: n / len(words) for word, n in Counter(words).items()} for kind, words in firsts.items()}
    one, other = shares.values()
    word = max(sorted(one | other), key=lambda word: abs(one.get(word, 0.0) - other.get(word, 0.0)))
    return [("opening", kind, shares[kind].get(word, 0.0), len(words), word) for kind, words in firsts.items()]


def _first(text: str) -> str:
    return next(iter(text.lower().split(maxsplit=1)), "")
