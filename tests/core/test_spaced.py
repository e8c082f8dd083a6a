"""Texts by the parts between their spaces, and words by numbers."""

from functools import partial

import numpy as np
import pytest

from whyrank.core import spaced
from whyrank.lexical.words import terms, words

from ..odd_texts import TEXTS, drawn


def test_parts_stand_between_single_spaces() -> None:
    parts = spaced.spaced(TEXTS)
    rebuilt = spaced.Ragged(parts.part_P, parts.start_N).lists(np.array(parts.different, dtype=object))
    assert [" ".join(row) for row in rebuilt] == TEXTS
    assert len(set(parts.different)) == len(parts.different)


def test_values_of_parts_come_one_after_the_other_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"a": [1, 2], "b": [], "c": [3], "": [9]}
    expected = [[1, 2], [9], [1, 2], [3]]
    for block in (1, 2, 3, 100):
        for name in ("_BLOCK", "_SPLIT", "_NUMBERED"):
            monkeypatch.setattr(spaced, name, block)
        spaced._spaced.cache_clear()
        spaced._parts_of.clear()
        parts = spaced.spaced(["a b", "", "b a b", "c"])
        found = spaced.of_each(parts, [values[part] for part in parts.different])
        assert found.lists() == expected
    assert found.of_rows(np.array([0, 3])).lists() == [[1, 2], [3]]


@pytest.mark.parametrize("split", [words, terms, partial(terms, least=2)], ids=["words", "terms", "long"])
def test_words_by_numbers_are_those_of_each_text_by_itself(split) -> None:
    texts = TEXTS + drawn(3000)
    known, found = spaced.coded(texts, split)
    assert found.lists(np.array(known, dtype=object)) == [split(text) for text in texts]
    assert known == sorted(set(known))


def test_sets_have_each_value_of_a_text_once() -> None:
    found = spaced.Ragged(np.array([3, 1, 3, 0, 5, 5], dtype=np.int32), np.array([0, 3, 3, 4, 6]))
    assert found.sets().lists() == [[1, 3], [], [0], [5]]


def test_no_texts_have_no_words() -> None:
    known, found = spaced.coded([], words)
    assert known == [] and found.lists() == []


def test_texts_are_split_once_and_a_text_of_another_set_brings_no_part(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, remember = [], spaced._remember
    monkeypatch.setattr(spaced, "_remember", lambda texts: calls.append(list(texts)) or remember(texts))
    one = ["once split", "never again", "once split"]
    assert sorted(spaced.spaced(one).different) == ["again", "never", "once", "split"]
    parts = spaced.spaced(["never again", "a new one"])
    assert sorted(parts.different) == ["a", "again", "never", "new", "one"]
    assert calls == [one[:2], ["a new one"]]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spaced, "_MOST", 3)
    spaced.spaced(["one two three four"])
    parts = spaced.spaced(["five six"])
    assert parts.different == ["five", "six"] and set(spaced._parts_of) == {"five six"}
