"""What figures of texts are said to mean, and the sizes of splits."""

from typing import Any

import pandas as pd
import pytest

from whyrank.findings.records import Records
from whyrank.preflight.probes.texts import answers, cuts, garbled, queries, splits, wording
from whyrank.preflight.probes.texts.figure import Figure

from ....diagnosis.probes.faults import ENCODERS, of, planted, with_data

COLUMNS = ["figure", "kind", "value", "texts", "example"]


def figures(healthy: Records, *rows: tuple[str, str, float, int, str], **tables: pd.DataFrame) -> Records:
    """Healthy records with these figures of texts."""
    table = {"text_figures": pd.DataFrame(rows, columns=COLUMNS)}
    return with_data(healthy, tables=healthy.data.tables | table | tables)


@planted("placeholder-answers", of("placeholder-answers", "data"))
def placeholders(lab: Any, healthy: Records, n: float = 4) -> Records:
    return figures(healthy, ("placeholders", "answer", n, 40, "TODO"))


@planted("near-copies", of("near-copies", "data"))
def copies(lab: Any, healthy: Records, n: float = 4) -> Records:
    return figures(healthy, ("copies", "answer", n, 40, "step"))


@planted("answers-say-little", of("answers-say-little", "data"))
def short(lab: Any, healthy: Records, n: float = 8) -> Records:
    return figures(healthy, ("short_answers", "answer", n, 40, "Yes."))


@planted("answers-in-another-language", of("answers-in-another-language", "data"))
def foreign(lab: Any, healthy: Records, share: float = 0.3) -> Records:
    rows = (
        ("other_script", "answer", 0.0, 40, ""),
        ("other_language", "answer", share, 40, "de, queries en: Nach Eingang"),
    )
    return figures(healthy, *rows)


# The runs stay as they were, so that they no longer follow from the judgements.
@planted("one-answer-dominates", of("one-answer-dominates", "data") | of("metrics-do-not-follow", *ENCODERS))
def dominant(lab: Any, healthy: Records, share: float = 0.5) -> Records:
    """The first answer is right for more queries beside their own; what was scored stays as it was."""
    own = healthy.data.qrels
    more = own.iloc[: int(share * len(own))].assign(answer_id="a00")
    return with_data(healthy, qrels=pd.concat([own, more]).drop_duplicates(["query_id", "answer_id"]))


@planted("boilerplate", of("boilerplate", "data"))
def notice(lab: Any, healthy: Records, share: float = 0.4) -> Records:
    rows = [
        (name, "answer", value, 40, "thank you") for name, value in (("shared_words", share), ("shared_texts", 1.0))
    ]
    return figures(healthy, *rows)


@planted("markup-in-texts", of("markup-in-texts", "data"))
def markup(lab: Any, healthy: Records, share: float = 0.3) -> Records:
    return figures(healthy, ("markup", "answer", share, 40, "<p>step</p>"))


@planted("garbled-texts", of("garbled-texts", "data"))
def letters_in_any_order(lab: Any, healthy: Records, letters: float = 0.99) -> Records:
    rows = [("replaced", "answer", 0.0, 40, ""), ("letters", "answer", letters, 40, "tesp")]
    return figures(healthy, *rows)


@planted("overlapping-texts", of("overlapping-texts", "data"))
def overlaps(
    lab: Any, healthy: Records, share: float = 0.4, sources: float = 2, pieces: float = 1, words: float = 50
) -> Records:
    named = {"borrowed": share, "borrowed_from": sources, "borrowed_stretches": pieces, "borrowed_words": words}
    return figures(healthy, *((name, "answer", value, 40, "a01 and a02: step") for name, value in named.items()))


@planted("query-names-answer", of("query-names-answer", "data"))
def ids(lab: Any, healthy: Records, share: float = 0.9) -> Records:
    named = [("id_in_query", "query", share, 400, "a01"), ("id_in_query", "chance", 0.0, 400, "")]
    return figures(healthy, *named, ("title_in_query", "query", 0, 400, ""), ("title_in_query", "chance", 0, 400, ""))


@planted("query-quotes-answer", of("query-quotes-answer", "data"))
def quotes(lab: Any, healthy: Records, share: float = 0.5) -> Records:
    return figures(healthy, ("quotes", "query", share, 400, "step step"))


@planted("queries-say-nothing", of("queries-say-nothing", "data"))
def greetings(lab: Any, healthy: Records, share: float = 0.2) -> Records:
    return figures(healthy, ("empty", "query", share, 400, "hello"))


@planted("repeated-queries", of("repeated-queries", "data"))
def repeated(lab: Any, healthy: Records, n: int = 60) -> Records:
    names = healthy.data.queries.loc[healthy.data.queries["split"] == "train", "query_id"]
    pairs = pd.DataFrame({"query_left": names.iloc[0], "query_right": names.iloc[1 : n + 1], "kind": "exact"})
    return with_data(healthy, tables=healthy.data.tables | {"duplicates": pairs})


@planted("queries-and-answers-swapped", of("queries-and-answers-swapped", "data"))
def swapped(lab: Any, healthy: Records) -> Records:
    return figures(healthy, ("asks", "answer", 0.9, 40, ""), ("asks", "query", 0.0, 400, ""))


@planted("texts-cut-before", of("texts-cut-before", "data"))
def cut_before(lab: Any, healthy: Records, share: float = 0.4) -> Records:
    named = {"at_limit": share, "limit": 400.0, "expected": 0.02, "open_end": 0.9, "open_end_else": 0.1}
    return figures(healthy, *((f"{name}_chars", "answer", value, 40, "and th") for name, value in named.items()))


@planted("cut-loses-end", of("cut-loses-end", "data"))
def lost_end(lab: Any, healthy: Records, gain: float = 0.1) -> Records:
    named = {"end_lost": 0.9, "end_words": 0.4, "kept_words": 0.1, "end_gain_low": gain}
    return figures(healthy, *((name, "conversation", value, 150, "my question is") for name, value in named.items()))


@planted("splits-differ", of("splits-differ", "data"))
def different(lab: Any, healthy: Records, auc: float = 0.95) -> Records:
    rows = [("auc_test", "query", auc, 120, "'hi' in 90 % against 2 %"), ("auc_error_test", "query", 0.02, 120, "")]
    sides = {"auc": auc, "test": 500.0, "train": 60.0}
    return figures(healthy, *rows, *(("characters_test", side, value, 120, "") for side, value in sides.items()))


def resplit(healthy: Records, split: str, n: int, others: str) -> Records:
    """Only the first n queries of a split stay there."""
    table = healthy.data.queries.copy()
    rows = table.index[table["split"] == split][n:]
    table.loc[rows, "split"] = others
    return with_data(healthy, queries=table)


@planted("few-training-queries", of("few-training-queries", "data"))
def few_training(lab: Any, healthy: Records, n: int = 20) -> Records:
    return resplit(healthy, "train", n, "dev")


@planted("dev-too-small", of("dev-too-small", "data"))
def small_dev(lab: Any, healthy: Records, n: int = 8) -> Records:
    return resplit(healthy, "dev", n, "train")


@planted("test-too-small", of("test-too-small", "data") | of("metrics-do-not-follow", "tfidf", "bm25", *ENCODERS))
def small_test(lab: Any, healthy: Records, n: int = 15) -> Records:
    return resplit(healthy, "test", n, "train")


@planted("types-told-by-opening", of("types-told-by-opening", "data"))
def marked(lab: Any, healthy: Records, share: float = 1.0, others: float = 0.0) -> Records:
    shares = {"question": others, "conversation": share}
    return figures(healthy, *(("opening", kind, value, 150, "user:") for kind, value in shares.items()))


@planted("split-smaller-than-asked", of("split-smaller-than-asked", "data"))
def smaller(lab: Any, healthy: Records, n: int = 30) -> Records:
    table = pd.DataFrame({"split": ["test", "dev"], "asked": [120.0, 80.0], "queries": [n, 80]})
    return with_data(healthy, tables=healthy.data.tables | {"split_shares": table})


@pytest.mark.parametrize(
    ("check", "plant", "quiet"),
    [
        (answers.placeholder_answers, placeholders, {"n": 0}),
        (answers.near_copies, copies, {"n": 0}),
        (answers.answers_say_little, short, {"n": 2}),
        (answers.answers_in_another_language, foreign, {"share": 0.02}),
        (answers.one_answer_dominates, dominant, {"share": 0.05}),
        (wording.boilerplate, notice, {"share": 0.1}),
        (wording.markup_in_texts, markup, {"share": 0.05}),
        (garbled.garbled_texts, letters_in_any_order, {"letters": 0.6}),
        (wording.overlapping_texts, overlaps, {"share": 0.1}),
        (queries.query_names_answer, ids, {"share": 0.01}),
        (queries.query_quotes_answer, quotes, {"share": 0.1}),
        (queries.queries_say_nothing, greetings, {"share": 0.02}),
        (queries.repeated_queries, repeated, {"n": 10}),
        (cuts.texts_cut_before, cut_before, {"share": 0.05}),
        (splits.splits_differ, different, {"auc": 0.7}),
        (splits.few_training_queries, few_training, {"n": 200}),
        (splits.dev_too_small, small_dev, {"n": 80}),
        (splits.test_too_small, small_test, {"n": 120}),
        (splits.smaller_than_asked, smaller, {"n": 100}),
        (queries.types_told_by_opening, marked, {"share": 0.8}),
        (queries.types_told_by_opening, marked, {"others": 0.05}),
    ],
)
def test_a_check_speaks_above_its_threshold_and_passes_below(check, plant, quiet, lab, healthy):
    assert [finding.system for finding in check(plant(lab, healthy).data)] == ["data"]
    assert list(check(plant(lab, healthy, **quiet).data)) == []


def test_training_queries_that_were_left_their_text_alone_are_not_counted(healthy):
    train = healthy.data.queries.loc[healthy.data.queries["split"] == "train", "query_id"]
    qrels = healthy.data.qrels[~healthy.data.qrels["query_id"].isin(train[20:])]
    (found,) = splits.few_training_queries(with_data(healthy, qrels=qrels).data)
    assert found.sentence.startswith("There are 20 training queries")


@pytest.mark.parametrize(("n", "severity"), [(59, "warning"), (61, "info")])
def test_half_of_the_asked_queries_is_a_warning_that_says_what_interval_is_left(n, severity, lab, healthy):
    found = next(splits.smaller_than_asked(smaller(lab, healthy, n).data))
    assert found.severity == severity
    # 1.96 standard errors of one half on either side.
    assert f"has {n} queries where prepare.split.test asks for 120" in found.sentence
    assert f"spans {100 * 1.96 / n**0.5:.0f} points instead of 18" in found.sentence


def test_a_lost_end_is_information_where_it_has_no_more_of_the_answer(lab, healthy):
    costly, harmless = (next(cuts.cut_loses_end(lost_end(lab, healthy, gain).data)) for gain in (0.1, -0.1))
    assert (costly.severity, harmless.severity) == ("warning", "info")


def test_most_of_the_answers_lost_is_an_error_and_one_is_information(lab, healthy):
    found = [next(answers.placeholder_answers(placeholders(lab, healthy, n).data)).severity for n in (30, 4)]
    assert found == ["error", "warning"]


def test_a_difference_of_splits_names_what_differs_most(lab, healthy):
    (found,) = splits.splits_differ(different(lab, healthy).data)
    assert "length in characters, 500 against 60" in found.sentence and "'hi' in 90 %" in found.sentence


def test_the_span_of_an_interval_is_told_in_points(lab, healthy):
    (found,) = splits.dev_too_small(small_dev(lab, healthy, 9).data)
    # 2 x 1.96 x sqrt(0.25 / 9)
    assert "spans 65 points" in found.sentence and found.severity == "warning"


def test_few_texts_widen_the_interval_of_a_share():
    assert Figure(0.2, 10, "").low < 0.06 < 0.16 < Figure(0.2, 1000, "").low < 0.2


@pytest.mark.parametrize(
    ("borrowed", "code"),
    [
        ({"share": 0.6}, "overlapping-texts"),
        ({"share": 0.6, "pieces": 6, "words": 7}, "garbled-texts"),
        ({"share": 0.6, "sources": 20, "pieces": 6, "words": 7}, "boilerplate"),
    ],
)
def test_what_answers_have_of_others_is_told_by_its_pieces(borrowed, code, lab, healthy):
    rows = [("shared_words", "answer", 0.05, 40, ""), ("shared_texts", "answer", 0.1, 40, "")]
    rows += [("replaced", "answer", 0.0, 40, "")]
    table = overlaps(lab, healthy, **borrowed).data.tables["text_figures"]
    records = figures(healthy, *rows, *table.itertuples(index=False, name=None))
    checks = (wording.boilerplate, garbled.garbled_texts, wording.overlapping_texts)
    assert [one.code for check in checks for one in check(records.data)] == [code]


def bits(**by_kind: float) -> list[tuple[str, str, float, int, str]]:
    rows = [("replaced", kind, 0.0, 200, "") for kind in ("answer", "question", "conversation")]
    for kind, value in by_kind.items():
        rows += [("word_order_shared", kind, value, 600, "of the"), ("common_pairs", kind, 0.15, 600, "")]
    return rows


@pytest.mark.parametrize(
    ("by_kind", "kind"),
    [
        ({"answer": 0.0, "question": 0.0, "conversation": 0.0, "query": 1.3}, "answers"),
        ({"answer": 0.5, "question": 0.8, "conversation": 0.05, "query": 0.1}, "conversations"),
        ({"answer": 1.2, "question": 0.5, "conversation": 0.9, "query": 1.3}, ""),
    ],
)
def test_the_kind_whose_words_stand_in_another_order_is_named(by_kind, kind, healthy):
    found = list(garbled.garbled_texts(figures(healthy, *bits(**by_kind)).data))
    assert [one.sentence.split()[4] for one in found] == ([kind] if kind else [])


def test_search_terms_have_too_few_small_words_to_be_out_of_order(healthy):
    rows = [(name, kind, 0.02 if name == "common_pairs" else value, n, text)
            for name, kind, value, n, text in bits(answer=0.0, question=0.0)]  # fmt: skip
    assert list(garbled.garbled_texts(figures(healthy, *rows).data)) == []


@pytest.mark.parametrize(("taught", "told"), [(0.3, 0), (0.9, 1)])
def test_single_texts_are_out_of_order_only_where_the_other_side_teaches_one(taught, told, healthy):
    rows = bits(answer=taught, question=0.9)
    found = garbled.garbled_texts(figures(healthy, *rows, ("unordered", "answer", 0.22, 156, "it of")).data)
    assert len(list(found)) == told
