"""Queries that hold their answer, hold nothing, or stand there many times."""

from collections.abc import Iterator

from whyrank.findings.finding import Evidence, Finding, Fix, percent
from whyrank.findings.outcome import Outcome, not_applicable, passed
from whyrank.findings.probe import probe
from whyrank.findings.records import DataRecords
from whyrank.preflight.probes.texts.figure import READ, TRAINING, Figure, below, figure, kinds_of, no_texts, rows_file

# Shares of the queries, of which the lower end of the interval counts. Real queries hold no id of their answer; 4 %
# of those of ConditionalQA hold its title of three words or more, and 3 % of those of Stack Exchange quote it.
IDS, TITLES, LEAK = 0.03, 0.12, 0.50
# A number of something (a year, a part) is told by few: at most 2 % of real queries.
CODES = 0.30
QUOTES = 0.12
# At most 0.2 % of real queries say nothing.
NOTHING = 0.03
# Copies among the training queries, of all of them.
REPEATED = 0.20
# Share of a kind's texts that ask.
ASKING, HARDLY = 0.5, 0.1
FEWEST = 20
# Shares of the texts of a type, and of the other, that begin with one word; "how" begins a tenth of real questions.
MARKED, UNMARKED = 0.90, 0.02


@probe("types-told-by-opening", on="preflight", layer="data", explains=("question-conversation-gap",))
def types_told_by_opening(data: DataRecords) -> Iterator[Finding | Outcome]:
    """A first word that nearly all texts of one type have, and hardly one of the other."""
    found = {kind: one for kind in kinds_of(data, "opening") if (one := figure(data, "opening", kind)) is not None}
    if not found:
        yield not_applicable("data", "questions and conversations")
        return
    (marked, with_it), (other, without) = sorted(found.items(), key=lambda item: -item[1].value)
    if with_it.value < MARKED or without.value > UNMARKED:
        yield passed("data", percent(f"{marked}s that begin alike", with_it.value), 100 * MARKED)
        return
    yield Finding(
        severity="info",
        system="data",
        sentence=f"{100 * with_it.value:.0f} % of the {marked}s begin with “{with_it.example}”, and "
        f"{100 * without.value:.0f} % of the {other}s: the first word tells the types apart.",
        evidence=(
            percent(f"{marked}s that begin so", with_it.value).against(100 * MARKED),
            percent(f"{other}s that begin so", without.value).against(100 * UNMARKED),
        ),
        cause="An encoder can tell the types by a mark that says nothing of what is asked, so that part of the "
        "distance between their vectors is the mark. A plain question marked likewise is read as the other type.",
        fix=Fix({}, f"mark both types alike, or leave “{with_it.example}” out"),
        reference="Geirhos et al. 2020 (shortcut learning)",
    )


@probe(
    "query-names-answer", on="preflight", layer="data",
    explains=("no-headroom", "worse-than-lexical", "query-quotes-answer", "tuning-brought-nothing",
              "learns-shuffled-labels", "splits-differ"),
)  # fmt: skip
def query_names_answer(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Queries that hold the id, the title or a code of their answer, and hardly that of another one."""
    found = {what: (figure(data, f"{what}_in_query", "query"), figure(data, f"{what}_in_query", "chance"), least)
             for what, least in (("id", IDS), ("title", TITLES), ("code", CODES))}  # fmt: skip
    told = False
    for what, (own, other, least) in found.items():
        if own is None or other is None:
            yield no_texts()
            return
        share = own.value - other.value
        if told or Figure(max(share, 0.0), own.texts, "").low < least:
            continue
        told = True
        yield Finding(
            severity="error" if share >= LEAK and what != "code" else "warning",
            system="data",
            sentence=f"{100 * own.value:.0f} % of the queries hold the {what} of their answer, such as "
            f"“{own.example}”.",
            evidence=(
                percent(f"queries with the {what} of their answer", own.value).against(100 * (other.value + least)),
                percent(f"queries with the {what} of another query's answer", other.value),
            ),
            cause=f"The {what} gives the answer away, so that counting words finds it and no model has to understand "
            "the query. The metric says nothing about queries of users, who do not know it.",
            fix=Fix(
                {},
                f"take the {what} out of the query texts, or leave these queries out",
                rows_file(data, "query-names-answer"),
            ),
            reference="a baseline at 98 % is a leak",
            weight=100 * share,
        )
    if not told:
        yield below(
            "queries with the id, the title or a code of their answer",
            max(own.value for own, _, _ in found.values() if own),
            IDS,
        )


@probe(
    "query-quotes-answer",
    on="preflight",
    layer="data",
    explains=("no-headroom", "worse-than-lexical", "tuning-brought-nothing"),
)
def query_quotes_answer(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Queries with eight words or more in a row that stand in their answer and hardly elsewhere."""
    found = figure(data, "quotes", "query")
    if found is None:
        yield no_texts()
    elif found.low < QUOTES:
        yield below("queries that quote their answer", found.value, QUOTES)
    else:
        yield Finding(
            system="data",
            sentence=f"{100 * found.value:.0f} % of the queries quote their answer word for word, such as "
            f"“{found.example}”.",
            evidence=(
                percent("queries with eight or more words in a row of their answer", found.value).against(100 * QUOTES),
            ),
            cause="They were cut from the answers or written beside them. Counting words finds such an answer, which "
            "real queries do not allow: a lexical baseline is too strong here, and a trained encoder learns to copy.",
            fix=Fix({}, "reword these queries, or leave them out", rows_file(data, "query-quotes-answer")),
            reference="Lee et al. 2019 (inverse cloze task)",
            weight=50 * found.value,
        )


@probe(
    "queries-say-nothing",
    on="preflight",
    layer="data",
    explains=(*TRAINING, *READ, "conflicting-duplicates", "duplicate-across-splits", "missing-judgements"),
)
def queries_say_nothing(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Queries of a word or two that no answer has, and texts that are asked for several answers."""
    found = figure(data, "empty", "query")
    if found is None:
        yield no_texts()
    elif found.low < NOTHING:
        yield below("queries that say nothing of what they ask for", found.value, NOTHING)
    else:
        yield Finding(
            system="data",
            sentence=f"{100 * found.value:.0f} % of the queries say nothing of what they ask for, such as "
            f"“{found.example}”.",
            evidence=(percent("queries that say nothing", found.value).against(100 * NOTHING),),
            cause="A greeting, or one text for several answers, leads to no answer: a ranker can only guess, and "
            "training on such pairs pulls all their answers together.",
            fix=Fix(
                {}, "leave these queries out, or add what the user said next", rows_file(data, "queries-say-nothing")
            ),
            reference="mteb#4626",
            weight=50 * found.value,
        )


@probe(
    "repeated-queries",
    on="preflight",
    layer="data",
    explains=("overfitted", "false-negatives-in-batch", "duplicate-across-splits", "one-answer-dominates"),
)
def repeated_queries(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Training queries that repeat another one word for word."""
    pairs, queries = data.table("duplicates"), data.queries
    train = queries[queries["split"] == "train"]
    if pairs.empty or len(train) < FEWEST:
        yield not_applicable("data", f"pairs of duplicates, and at least {FEWEST} training queries")
        return
    nothing = data.table("rows_queries-say-nothing")
    empty = [] if nothing.empty else nothing["query_id"].tolist()
    exact = pairs[(pairs["kind"] == "exact") & pairs["query_left"].isin(train["query_id"])]
    exact = exact[~exact["query_right"].isin(empty)]
    copies = int(train["query_id"].isin(exact["query_right"]).sum())
    share = copies / len(train)
    if share < REPEATED:
        yield below("training queries that repeat another one", share, REPEATED)
        return
    most = exact["query_left"].value_counts()
    text = " ".join(queries.loc[queries["query_id"] == most.index[0], "raw_text"].iloc[0].split())
    yield Finding(
        system="data",
        sentence=f"{copies} of {len(train)} training queries ({100 * share:.0f} %) repeat another one word for word; "
        f"“{text[:80]}” stands there {int(most.iloc[0]) + 1} times.",
        evidence=(
            percent("training queries that repeat another one", share).against(100 * REPEATED),
            Evidence("different training queries", len(train) - copies, "queries"),
        ),
        cause="Copies weigh as many queries. An epoch reads the same text again and again, and fills batches with it.",
        fix=Fix({}, "keep one of each copy in queries.jsonl and the qrels"),
        reference="Lee et al. 2022 (deduplicating training data)",
        weight=30 * share,
    )


@probe(
    "queries-and-answers-swapped",
    on="preflight",
    layer="data",
    explains=(*TRAINING, "one-answer-dominates", "answers-say-little"),
)
def queries_and_answers_swapped(data: DataRecords) -> Iterator[Finding | Outcome]:
    """Answers that ask, and queries that do not."""
    asking = figure(data, "asks", "answer")
    queries = figure(data, "asks", "query")
    if asking is None or queries is None or min(asking.texts, queries.texts) < FEWEST:
        yield not_applicable("data", f"at least {FEWEST} answers and {FEWEST} queries")
    elif asking.low < ASKING or queries.value > HARDLY:
        yield passed("data", percent("answers that end in a question", asking.value), 100 * ASKING)
    else:
        yield Finding(
            severity="warning",
            system="data",
            sentence=f"{100 * asking.value:.0f} % of the answers end in a question, and {100 * queries.value:.0f} % of "
            "the queries: they seem to be swapped.",
            evidence=(
                percent("answers that end in a question", asking.value).against(100 * ASKING),
                percent("queries that do", queries.value),
            ),
            cause="corpus.jsonl holds what users ask, and queries.jsonl what they are told.",
            fix=Fix({}, "swap corpus.jsonl and queries.jsonl, and the columns query-id and corpus-id of the qrels"),
            reference="sentence-transformers#2749 (columns swapped)",
            weight=50.0,
        )
