"""Labels of pairs: where the checks begin, and the labels that they propose."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from whyrank.core import io
from whyrank.findings.records import Records
from whyrank.preflight.examine import preflight

from ...diagnosis.probes.conftest import judged_pairs
from ...diagnosis.probes.faults import of, planted, with_data

SEED_IDS = {"entailment": 0.0, "neutral": 1.0, "contradiction": 2.0}


def relabelled(labels: dict[str, float], bare: bool = False) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Classes with other labels; `bare` leaves them their ids for names."""

    def change(judged: pd.DataFrame) -> pd.DataFrame:
        names = judged["class_name"]
        judged = judged.assign(label=names.map(labels).fillna(judged["label"]))
        if bare:
            ids = names.map({name: str(int(label)) for name, label in labels.items()})
            judged = judged.assign(class_name=ids.fillna(""), stratum=ids.fillna(judged["stratum"]))
        return judged

    return change


def raw_ids(lab: Any, healthy: Records) -> Records:
    """The seed project's fault: ids of SNLI for labels."""
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(SEED_IDS, bare=True)))


@planted("labels-reversed", of("labels-reversed", "pairs of nli"))
def reversed_labels(lab: Any, healthy: Records) -> Records:
    labels = {"entailment": 0.0, "neutral": 0.5, "contradiction": 1.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


@planted("labels-unordered", of("labels-unordered", "pairs of nli"))
def exchanged_classes(lab: Any, healthy: Records) -> Records:
    labels = {"entailment": 0.5, "neutral": 1.0, "contradiction": 0.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


@planted("labels-out-of-range", of("labels-out-of-range", "pairs of nli"))
def wide_labels(lab: Any, healthy: Records) -> Records:
    """Labels in the right order that run to 2."""
    labels = {"entailment": 2.0, "neutral": 1.0, "contradiction": 0.0}
    return replace(healthy, data=lab.with_pairs(healthy.data, relabelled(labels)))


@planted("unlabelled-rows-trained-on", of("unlabelled-rows-trained-on", "pairs of nli"))
def kept_without_class(lab: Any, healthy: Records) -> Records:
    """One pair in fifty has no class and the label -1; `prepare` looks at the others alone."""
    table = healthy.data.tables["pair_labels"].copy()
    table.loc[table["source"] == "nli", "unlabelled"] = 0.02
    return with_data(healthy, tables=healthy.data.tables | {"pair_labels": table})


NLI = "pairs of nli"


KEY = "prepare.pairs.sources.0"


def codes(data):
    return [(finding.code, finding.system) for finding in preflight(data)]


def test_the_seeds_ids_are_reversed_first_and_out_of_range_second_with_one_fix(lab, healthy):
    found = preflight(raw_ids(lab, healthy).data)
    assert [finding.code for finding in found] == ["labels-reversed", "labels-out-of-range"]
    params = {
        f"{KEY}.classes": ["class_0", "class_1", "class_2"],
        f"{KEY}.labels": {"class_0": 1.0, "class_1": 0.5, "class_2": 0.0},
    }
    assert [finding.fix.params for finding in found] == [params, params]
    assert found[0].fix.command == (
        f"dvc exp run -S '++{KEY}.classes=[class_0,class_1,class_2]' "
        f"-S '++{KEY}.labels={{class_0:1.0,class_1:0.5,class_2:0.0}}'"
    )
    assert "0 +0." in found[0].fix.action and found[0].interval[1] < -0.3


@pytest.mark.parametrize("plant", [reversed_labels, exchanged_classes])
def test_known_names_get_the_labels_that_are_there_in_the_order_of_similarity(plant, lab, healthy):
    (finding,) = preflight(plant(lab, healthy).data)
    assert finding.fix.params == {f"{KEY}.labels": {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}}


@pytest.mark.parametrize("plant", [raw_ids, reversed_labels, exchanged_classes, wide_labels, kept_without_class])
def test_the_labels_of_the_fix_are_silent(plant, lab, healthy):
    for finding in preflight(plant(lab, healthy).data):
        (labels,) = (value for key, value in finding.fix.params.items() if key.endswith(".labels"))
        names = ["class_0", "class_1", "class_2"] if "class_0" in labels else ["entailment", "neutral", "contradiction"]
        fixed = dict(zip(["entailment", "neutral", "contradiction"], (labels[name] for name in names), strict=True))
        assert codes(lab.with_pairs(healthy.data, relabelled(fixed))) == []


def test_labels_in_order_keep_it_when_they_are_brought_into_range(lab, healthy):
    (finding,) = preflight(wide_labels(lab, healthy).data)
    assert finding.fix.params == {f"{KEY}.labels": {"entailment": 1.0, "neutral": 0.5, "contradiction": 0.0}}


def test_what_was_written_and_read_back_is_judged_alike(lab, healthy, tmp_path):
    tables = raw_ids(lab, healthy).data.tables
    for name in ("pair_agreement", "pair_levels", "pair_labels", "pair_counts"):
        io.write_table(tmp_path / f"{name}.csv", tables[name])
    again = tables | {file.stem: io.read_table(file) for file in tmp_path.glob("*.csv")}
    read, made = (preflight(replace(healthy.data, tables=part)) for part in (again, tables))
    assert [(f.code, f.fix.params) for f in read] == [(f.code, f.fix.params) for f in made]


def shuffled(judged, seed):
    order = np.random.default_rng(seed).permutation(600)
    columns = ["label", "class_name", "stratum"]
    return judged.assign(**{name: [*judged[name].to_numpy()[order], *judged[name][600:]] for name in columns})


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_labels_are_unordered_and_their_texts_have_to_be_joined_anew(seed, lab, healthy):
    (finding,) = preflight(lab.with_pairs(healthy.data, lambda judged: shuffled(judged, seed)))
    assert (finding.code, finding.system, finding.severity) == ("labels-unordered", NLI, "error")
    assert finding.fix.params == {} and "join texts and labels" in finding.fix.action


def test_too_few_shuffled_labels_are_not_judged(lab, healthy):
    data = lab.with_pairs(healthy.data, lambda judged: shuffled(judged, 0).iloc[4:600:4])
    assert codes(data) == []


def test_scores_turned_round_and_scores_shuffled(lab, healthy):
    def turned(judged):
        return judged.assign(label=np.where(judged["source"] == "sts", 1 - judged["label"], judged["label"]))

    def mixed(judged):
        label = judged["label"].to_numpy().copy()
        label[600:] = np.random.default_rng(0).permutation(label[600:])
        return judged.assign(
            label=label, stratum=[*judged["stratum"][:600], *(label[600:] * 5).astype(int).astype(str)]
        )

    (finding,) = preflight(lab.with_pairs(healthy.data, turned))
    assert (finding.code, finding.system) == ("labels-reversed", "pairs of sts")
    assert "turn the scores of 'sts' round" in finding.fix.action and "the lower it scores" in finding.cause
    assert codes(lab.with_pairs(healthy.data, mixed)) == [("labels-unordered", "pairs of sts")]


def test_contradictions_that_repeat_their_premise_are_no_fault(lab, healthy):
    # As SICK and the bundled sample have them: by shared words, and so by the cosine, they are the most alike.
    def repeating(judged):
        words = judged["tfidf"] + 0.7 * (judged["class_name"] == "contradiction")
        return judged.assign(tfidf=words, encoder=judged["encoder"] + 0.7 * (words - judged["tfidf"]))

    data = lab.with_pairs(healthy.data, repeating)
    correlation = data.tables["pair_agreement"].set_index(["source", "similarity"])["spearman"]
    assert correlation["nli", "encoder"] < 0 and correlation["nli", "tfidf"] < -0.2
    assert codes(data) == []


def test_an_encoder_that_cannot_tell_the_texts_apart_says_nothing(lab, healthy):
    assert codes(lab.with_pairs(healthy.data, lambda judged: judged.assign(encoder=1.0))) == []


@pytest.mark.parametrize(("names", "map_given"), [(["a b", "n", "c"], False), (["yes", "n", "null"], False),
                                                  (["e-1", "n_2", "c"], True)])  # fmt: skip
def test_names_that_a_command_cannot_carry_are_left_to_the_user(names, map_given, lab, healthy):
    def renamed(judged):
        judged = relabelled({"entailment": 0.0, "neutral": 0.5, "contradiction": 1.0})(judged)
        new = dict(zip(["entailment", "neutral", "contradiction"], names, strict=True))
        return judged.assign(**{name: judged[name].replace(new) for name in ("class_name", "stratum")})

    (finding,) = preflight(lab.with_pairs(healthy.data, renamed))
    assert bool(finding.fix.params) is map_given
    assert map_given or f"{names[0]}: 1" in finding.fix.action


def test_test_pairs_may_have_any_range_and_a_missing_class_matters_in_training_only(lab, healthy):
    wide = wide_labels(lab, healthy).data
    labels = wide.tables["pair_labels"].assign(use="test", unlabelled=0.1)
    assert codes(replace(wide, tables=wide.tables | {"pair_labels": labels})) == []


def test_records_without_pairs_are_judged_without_complaint(healthy):
    tables = {name: table for name, table in healthy.data.tables.items() if not name.startswith("pair_")}
    assert codes(replace(healthy.data, tables=tables)) == []


def test_the_planted_pairs_are_as_real_ones():
    # Rank correlation of SNLI's labels with MiniLM .57, with shared words .29.
    nli = judged_pairs().iloc[:600]
    correlation = nli[["encoder", "tfidf", "label"]].corr(method="spearman")["label"]
    assert correlation["encoder"] == pytest.approx(0.6, abs=0.1) and correlation["tfidf"] == pytest.approx(0.3, abs=0.1)
