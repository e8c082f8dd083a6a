"""The section `systems`: a mistake in it is one line that names the key, the value and what to do."""

import copy

import pytest

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.findings.systems import Systems

ENCODER = {"kind": "encoder", "role": "zero-shot", "made_of": "models/base"}
TUNED = ENCODER | {"role": "tuned", "starts_from": "base"}

NEAREST = {"kind": "nearest-query", "role": "rival", "made_of": "data/runs/base"}
SERVED = {"kind": "served", "role": "rival", "made_of": "models/base", "format": "onnx-int8"}
FUSION = {"kind": "fusion", "role": "rival", "made_of": "data/scores/encoder"}


@pytest.fixture
def checked(shipped_params):
    def check(**systems):
        values = copy.deepcopy(shipped_params)
        for name, keys in systems.items():
            if keys is None:
                del values["systems"][name.replace("_", "-")]
            else:
                values["systems"][name.replace("_", "-")] = keys
        params.check(values)
        return values

    return check


def test_one_entry_is_enough_for_another_system(checked):
    values = checked(base_cls=ENCODER | {"pooling": "cls"})
    assert params.system(values, "base-cls").pooling == "cls"


def test_a_served_encoder_is_made_of_that_of_another_system_as_it_was_made(checked):
    values = checked(first=ENCODER | {"pooling": "cls"}, small=SERVED)
    assert Systems.of(values).compressed["small"] == ("base",)


def test_a_start_may_be_left_out_of_the_evaluation_while_fine_tuning_knows_it(checked):
    assert "base" not in checked(base=None, nearest_query=None, classifier=None)["systems"]


@pytest.mark.parametrize(
    ("systems", "message"),
    [
        ({"x": ENCODER | {"kind": "word"}}, "systems.x.kind` is 'word'; it takes one of tfidf, bm25, encoder, "),
        ({"x": SERVED | {"format": "torch"}},
         "systems.x.format` is torch with all layers: nothing is changed; use "),
        ({"x": SERVED | {"made_of": "models/other"}},
         "systems.x.made_of` is 'models/other'; encoders, whose cost is compared, are made of models/base, models/"),
        ({"base": ENCODER | {"pooling": "cls"}, "x": SERVED}, "systems.x.made_of` is 'models/base'; encoders, whose "),
        ({"x": ENCODER | {"layers": 2}}, "systems.x.layers` is 2, but only a system of kind served has one; leave "),
        ({"x": ENCODER | {"role": "best"}}, "systems.x.role` is 'best'; it takes one of baseline, zero-shot, "),
        ({"x": ENCODER | {"kind": "bm25"}}, "systems.x.role` is zero-shot; a system of kind bm25 is baseline"),
        ({"x": ENCODER | {"role": "baseline"}}, "systems.x.role` is baseline; a system of kind encoder is zero-shot "),
        ({"x": ENCODER | {"pooling": "first"}}, "systems.x.pooling` is 'first'; it takes one of auto, mean, cls, max"),
        ({"x": {"kind": "bm25", "role": "baseline", "made_of": "src", "pooling": "cls"}},
         "systems.x.pooling` is cls, but only a system of kind encoder has one; leave the key out"),
        ({"x": {"kind": "encoder", "role": "tuned", "made_of": "m"}},
         "systems.x.starts_from` is missing; name what the tuned system was trained from"),
        ({"x": ENCODER | {"starts_from": "base"}},
         "systems.x.starts_from` is 'base', but only a trained system has one; leave the key out"),
        ({"x": TUNED | {"starts_from": "bse"}}, "systems.x.starts_from` is 'bse', which is neither in `systems` ("),
        ({"x": TUNED | {"starts_from": "bm25"}}, "systems.x.starts_from` is 'bm25', a baseline; training starts from "),
        ({"x": TUNED | {"starts_from": "x"}}, "systems.x.starts_from` is 'x', which starts from x in turn; name what "),
        ({"x": TUNED | {"starts_from": "y"}, "y": TUNED | {"starts_from": "x"}},
         "systems.x.starts_from` is 'y', which starts from x in turn; name what "),
        ({"base_tuned": None}, "inits` has 'base', but no system of role tuned is made of models/base-tuned, into "),
        ({"x": None}, "systems.x` is None; it takes a section with the keys kind, role, made_of, starts_from, pooling"),
        ({"bm25": ENCODER}, "systems.bm25.kind` is encoder, but bm25 is the name of a baseline; rename it"),
        ({"tfidf": ENCODER | {"kind": "bm25", "role": "baseline"}},
         "systems.tfidf.kind` is bm25, but tfidf is the name of a baseline; rename it"),
        ({"a.b": ENCODER}, "systems` has the key 'a.b'; it takes names"),
        ({"base": None}, "systems.nearest-query.made_of` is 'data/runs/base'; systems that keep vectors are barlow, "),
        ({"x": NEAREST | {"made_of": "data/runs/bm25"}},
         "systems.x.made_of` is 'data/runs/bm25'; systems that keep vectors are base, barlow, base-tuned, "),
        ({"x": NEAREST | {"made_of": "models/base"}},
         "systems.x.made_of` is 'models/base'; a system of kind nearest-query is made of data/runs/ and the name of "),
        ({"x": NEAREST | {"C": [3.0]}}, "systems.x.C` is [3.0], but only a system of kind classifier has one; leave "),
        ({"x": ENCODER | {"lexical": "tfidf"}}, "systems.x.lexical` is tfidf, but only a system of kind fusion"),
        ({"x": FUSION | {"made_of": "data/runs/base"}},
         "systems.x.made_of` is 'data/runs/base'; a system of kind fusion is made of data/scores/ and "),
        ({"x": FUSION | {"made_of": "data/scores/judge"}},
         "systems.x.made_of` is 'data/scores/judge', and no system is of kind judge; there are tfidf, bm25, encoder, "),
        ({"x": FUSION | {"made_of": "data/scores/fusion"}},
         "systems.x.made_of` is 'data/scores/fusion', which is made of x in turn; name another kind of systems"),
        ({"x": FUSION | {"of": ["bse"]}}, "systems.x.of` names 'bse'; the systems of kind encoder are base, barlow, "),
        ({"x": FUSION | {"lexical": "none"}}, "systems.x.lexical` is none, which leaves one system to fuse; use -S "),
        ({"x": FUSION | {"role": "baseline"}}, "systems.x.role` is baseline; a system of kind fusion is rival"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_line_that_names_the_key(checked, shipped_params, systems, message):
    with pytest.raises(UserError) as raised:
        if systems == {"x": None}:
            params.check(shipped_params | {"systems": shipped_params["systems"] | systems})
        checked(**systems)
    assert f"params.yaml: `{message}" in str(raised.value)


def test_a_name_that_is_not_there_is_a_user_error(shipped_params):
    with pytest.raises(UserError, match=r"^params\.yaml: `systems` has no 'bse'; add it, or name one that is there$"):
        params.system(shipped_params, "bse")


def test_a_stage_of_a_system_is_given_that_system_alone(shipped_params):
    pipeline = params.read_yaml("dvc.yaml")
    values = params.declared(shipped_params, pipeline, "evaluate@barlow")
    assert list(values["systems"]) == ["barlow"] and "inits" not in values
