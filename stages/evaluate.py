"""evaluate: score one system on the test queries, against all answers, on test pairs of sentences and on rated texts.

reads   data/prepared, models/<system> (the lexical floors have none)
writes  data/runs/<system>, metrics/evaluate/<system>.json
"""

import sys
from pathlib import Path

from whyrank.core import io, params, prepared, runtime
from whyrank.core.errors import exit_on_user_error
from whyrank.scoring import lexical, rank, ratings, similarity


def main() -> None:
    name = sys.argv[1]
    values = params.load(f"evaluate@{name}")
    seed = params.seed(values)
    options = params.section(values, "evaluate", params.Evaluate)
    texts = prepared.read("data/prepared")
    test_Q, pairs = rank.judged(texts, "test"), similarity.judged(texts, seed)

    if name in lexical.FLOORS:
        run, geometry = rank.rank(lexical.scorer(name, texts, options.stemmer), texts, test_Q, options), {}
        vectors = None
        predicted = {key: similarity.predict_tfidf(part) for key, part in pairs.items() if name == "tfidf"}
        rated = ratings.lexical(texts) if name == "tfidf" else ratings.NOTHING
    else:
        # Imported only here: the lexical floors need no torch, whose import takes seconds.
        from whyrank.model import system
        from whyrank.scoring import embed, representation

        encoder = params.section(values, "encoder", params.Encoder)
        runtime.seed_everything(seed)
        source = Path("models") / name
        model = system.load(source, trust_remote_code=encoder.trust_remote_code)
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
    io.write_metrics(
        f"metrics/evaluate/{name}.json", rank.summary(run.queries) | geometry | similar.metrics | rated.metrics
    )


if __name__ == "__main__":
    exit_on_user_error(main)
