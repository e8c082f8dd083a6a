"""One system -> all that is recorded of it. A new kind of system is one function, and an entry in `KINDS`."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from whyrank.core import runtime
from whyrank.core.options.systems import Kind, System
from whyrank.lexical import ranking as words
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.scored import Scored, Tasks


def encoder(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by its vectors; rate by what was trained, or else by a ridge on the vectors."""
    # Imported only here: the lexical baselines need no torch.
    from whyrank.model import system as models
    from whyrank.scoring.ranking import representation
    from whyrank.scoring.search import embed

    runtime.seed_everything(tasks.seed)
    source, options = Path(system.made_of), tasks.encoder
    model = models.load(source, pooling=system.pooling, trust_remote_code=options.trust_remote_code)
    vectors = embed.embed(model, tasks.texts, options)
    run = tasks.rank(embed.scorer(vectors, model.score))
    longest = tasks.options.pair_tokens
    predicted = {name: pairs.predict(model, part, options, longest=longest) for name, part in tasks.pairs.items()}
    is_tuned = system.role == "tuned" and system.pooling == "auto"
    rated = (
        ratings.tuned(tasks.texts, source / ratings.OUT_OF_FOLD)
        if is_tuned
        else ratings.frozen(model, tasks.texts, options)
    )
    geometry = representation.describe(vectors, tasks.texts, run.top, tasks.seed)
    geometry["score_kind_cosine"] = int(model.score == "cosine")
    return Scored(run, pairs.judge(tasks.pairs, predicted), rated, geometry, vectors)


def tfidf(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by the cosine of TF-IDF vectors; rate by a ridge on them."""
    predicted = {name: pairs.predict_tfidf(part) for name, part in tasks.pairs.items()}
    return Scored(
        tasks.rank(words.scorer(words.tfidf, tasks.texts)),
        pairs.judge(tasks.pairs, predicted),
        ratings.lexical(tasks.texts),
    )


def bm25(system: System, tasks: Tasks) -> Scored:
    """Rank alone: a score of BM25 says how well an answer fits a query, not how alike two texts are."""
    return Scored(tasks.rank(words.scorer(partial(words.bm25, stemmer=tasks.options.stemmer), tasks.texts)))


KINDS: Mapping[Kind, Callable[[System, Tasks], Scored]] = {"tfidf": tfidf, "bm25": bm25, "encoder": encoder}


def score(system: System, tasks: Tasks) -> Scored:
    """Score one system on the tasks, by its kind. Raises UserError as its kind does."""
    return KINDS[system.kind](system, tasks)
