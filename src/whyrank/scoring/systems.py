"""One system -> all that is recorded of it. A new kind of system is one function, and an entry in `KINDS`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from whyrank.core import runtime
from whyrank.core.options.systems import Kind, System
from whyrank.lexical import ranking as words
from whyrank.scoring.foreign.run import run
from whyrank.scoring.foreign.vectors import vectors
from whyrank.scoring.pairs import score as pairs
from whyrank.scoring.ratings import score as ratings
from whyrank.scoring.rivals.classifier import classifier
from whyrank.scoring.rivals.compressed import compressed
from whyrank.scoring.rivals.fusion import fusion
from whyrank.scoring.rivals.nearest import nearest_query
from whyrank.scoring.rivals.reranker import reranker
from whyrank.scoring.tasks import Scored, Tasks

if TYPE_CHECKING:
    from whyrank.model import system as models

# The number of each in the metrics, which are numbers.
READOUTS = ("raw", "centred", "standardised")


def encoder(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by its vectors; rate by what was trained, or else by a ridge on the vectors."""
    # Imported only here: the lexical baselines need no torch.
    from whyrank.model import system as models
    from whyrank.model.golden import golden_vectors
    from whyrank.scoring.ranking import representation
    from whyrank.scoring.search import embed

    runtime.seed_everything(tasks.seed)
    source, options = Path(system.made_of), tasks.encoder
    model = models.load(source, pooling=system.pooling, trust_remote_code=options.trust_remote_code)
    models.check_tokens(model, tasks.texts, source)
    vectors = embed.embed(model, tasks.texts, options)
    product = embed.Product(vectors, model.score)
    run, others = tasks.rank(product), tasks.rank_others(product)
    longest = tasks.options.pair_tokens
    predicted = {name: pairs.predict(model, part, options, longest=longest) for name, part in tasks.pairs.items()}
    is_tuned = system.role == "tuned" and system.pooling == "auto"
    rated = (
        ratings.tuned(tasks.texts, source / ratings.OUT_OF_FOLD)
        if is_tuned
        else ratings.frozen(model, tasks.texts, options)
    )
    golden = golden_vectors(model, tasks.texts, options)
    geometry = representation.describe(vectors, tasks.texts, run.top, tasks.seed)
    geometry |= size(model) | {"score_kind_cosine": int(model.score == "cosine")}
    geometry["readout_kind"] = READOUTS.index(model.readout.kind if model.readout else READOUTS[0])
    return Scored(run, pairs.judge(tasks.pairs, predicted), rated, geometry, vectors, others, golden)


def size(model: "models.System") -> dict[str, float]:
    """What a text costs, the same on every machine: weights, their megabytes, and layers where the encoder says."""
    weights = [*model.parameters()]
    layers = getattr(model.encoder.transformer.config, "num_hidden_layers", None)
    return {
        "parameters": sum(weight.numel() for weight in weights),
        "megabytes": sum(weight.nbytes for weight in weights) / 1e6,
    } | ({"layers": layers} if layers else {})


def served(system: System, tasks: Tasks) -> Scored:
    """Rank by the vectors of an encoder in another format."""
    from whyrank.scoring.rivals.served import served  # takes torch, as above

    return served(system, tasks)


def tfidf(system: System, tasks: Tasks) -> Scored:
    """Rank and compare by the cosine of TF-IDF vectors; rate by a ridge on them."""
    predicted = {name: pairs.predict_tfidf(part) for name, part in tasks.pairs.items()}
    score = words.scorer(words.tfidf, tasks.texts, tasks.analyser)
    return Scored(
        tasks.rank(score),
        pairs.judge(tasks.pairs, predicted),
        ratings.lexical(tasks.texts),
        others=tasks.rank_others(score),
        analyser=tasks.analyser,
    )


def bm25(system: System, tasks: Tasks) -> Scored:
    """Rank alone: a score of BM25 says how well an answer fits a query, not how alike two texts are."""
    score = words.scorer(words.bm25, tasks.texts, tasks.analyser)
    return Scored(tasks.rank(score), others=tasks.rank_others(score), analyser=tasks.analyser)


KINDS: Mapping[Kind, Callable[[System, Tasks], Scored]] = {
    "tfidf": tfidf, "bm25": bm25, "encoder": encoder,
    "nearest-query": nearest_query, "classifier": classifier, "fusion": fusion,
    "compressed": compressed, "served": served,
    "vectors": vectors, "run": run, "reranker": reranker,
}  # fmt: skip


def score(system: System, tasks: Tasks) -> Scored:
    """Score one system on the tasks, by its kind. Raises UserError as its kind does."""
    scored = KINDS[system.kind](system, tasks)
    made = {"kind": system.kind, "made_of": system.made_of}
    return replace(scored, how={**made, **scored.how}) if scored.how else scored
