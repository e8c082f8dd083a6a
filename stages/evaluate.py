"""evaluate: score one system on the test queries, against all answers, on test pairs of sentences and on rated texts.

reads   data/prepared, models/<system> (the lexical floors have none)
writes  data/runs/<system>, metrics/evaluate/<system>.json
"""

import sys
from pathlib import Path

from whyrank.core import io, prepared, runtime
from whyrank.core.errors import exit_on_user_error
from whyrank.core.options import params
from whyrank.lexical import ranking as lexical
from whyrank.scoring.pairs import score as similarity
from whyrank.scoring.ranking import score as rank
from whyrank.scoring.ratings import score as ratings


def main() -> None:
    name = sys.argv[1]
    values = params.load(f"evaluate@{name}")
    seed = params.seed(values)
    options = params.section(values, "evaluate", params.Evaluate)
    texts = prepared.read("data/prepared")
    test_Q, pairs = rank.judged(texts, "test"), similarity.judged(texts, seed)
    if name in lexical.FLOORS:
        run = rank.rank(lexical.scorer(name, texts, options.stemmer), texts, test_Q, options)
        vectors, geometry = None, {}
        predicted = {key: similarity.predict_tfidf(part) for key, part in pairs.items() if name == "tfidf"}
        rated = ratings.lexical(texts) if name == "tfidf" else ratings.NOTHING
    else:
        # Imported only here: the lexical floors need no torch.
        from whyrank.model import system
        from whyrank.scoring.ranking import representation
        from whyrank.scoring.search import embed

        encoder = params.section(values, "encoder", params.Encoder)
        runtime.seed_everything(seed)
        model = system.load(source := Path("models") / name, trust_remote_code=encoder.trust_remote_code)
        vectors = embed.embed(model, texts, encoder)
        run = rank.rank(embed.scorer(vectors, model.score), texts, test_Q, options)
        longest = options.pair_tokens
        predicted = {key: similarity.predict(model, part, encoder, longest=longest) for key, part in pairs.items()}
        rated = ratings.of_system(model, texts, encoder, source if name.endswith("-tuned") else None)
        geometry = representation.describe(vectors, texts, run.top, seed)
        geometry["score_kind_cosine"] = int(model.score == "cosine")
    similar = similarity.judge(pairs, predicted)
    with io.replacing_folder(f"data/runs/{name}") as folder:
        for file, table in (rank.tables(run) | similar.tables | rated.tables).items():
            io.write_table(folder / file, table)
        io.write_text(folder / "run.trec", rank.trec(run.top, name))
        if vectors is not None:
            io.write_array(folder / "query_vectors.npy", vectors.query_ND)
            io.write_array(folder / "answer_vectors.npy", vectors.answer_AD)
    metrics = rank.summary(run.queries) | geometry | similar.metrics | rated.metrics
    io.write_metrics(f"metrics/evaluate/{name}.json", metrics)


if __name__ == "__main__":
    exit_on_user_error(main)
