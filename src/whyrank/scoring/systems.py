"""One system -> all that is recorded of it. A new kind of system is one function, and an entry in `KINDS`."""

from collections.abc import Callable, Mapping

from whyrank.core.options.systems import Kind, System
from whyrank.scoring.encoder import encoder
from whyrank.scoring.lexical import bm25, tfidf
from whyrank.scoring.scored import Scored, Tasks

KINDS: Mapping[Kind, Callable[[System, Tasks], Scored]] = {"tfidf": tfidf, "bm25": bm25, "encoder": encoder}


def score(system: System, tasks: Tasks) -> Scored:
    """Score one system on the tasks, by its kind. Raises UserError as its kind does."""
    return KINDS[system.kind](system, tasks)
