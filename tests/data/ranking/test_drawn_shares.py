"""What a split that was drawn got of what it asked for."""

import pandas as pd

from whyrank.data.ranking.split import drawn_shares


def test_only_drawn_splits_are_told_with_what_they_asked_for():
    split = pd.Series(["train"] * 15 + ["test"] * 2 + ["dev"] * 3)
    assert drawn_shares(split, dev=0.15, test=0.35).to_numpy().tolist() == [["test", 7.0, 2], ["dev", 3.0, 3]]
    given = {"q1": "test", "q2": "train"}
    assert drawn_shares(split, dev=0.15, test=0.35, given=given)["split"].tolist() == ["dev"]
    assert drawn_shares(split, dev=0.0, test=0.35)["split"].tolist() == ["test"]
