"""Scores of an encoder with its heads, trained or not."""

from pathlib import Path

from whyrank.core import runtime
from whyrank.core.options.systems import System
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
    rated = ratings.of_system(model, tasks.texts, options, source if is_tuned else None)
    geometry = representation.describe(vectors, tasks.texts, run.top, tasks.seed)
    geometry["score_kind_cosine"] = int(model.score == "cosine")
    return Scored(run, pairs.judge(tasks.pairs, predicted), rated, geometry, vectors)
