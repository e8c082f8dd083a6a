"""What cannot be had of the vectors is said before any text is encoded."""

import pytest
from torch import nn

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.heads import heads
from whyrank.training import finetune

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
SIMILARITY = "objectives.similarity"
ON = {f"{SIMILARITY}.weight": 1.0, "train": "all", "head.kind": "none"}
ESPRESSO = ON | {f"{SIMILARITY}.espresso.dims": [8]}


def check_all(of, options, changes):
    chosen = options("finetune_rank", params.FinetuneRank, changes)
    for task in finetune.TASKS:
        if task.name in chosen.objectives.on:
            task.check(None, of, chosen)


@pytest.fixture
def checked(make_encoder, options):
    """The checks on an encoder of 32 features and 2 blocks, under no head or one of a width."""

    def check(changes, head=None):
        chain = nn.Sequential(*([head] if head else []))
        check_all(system.System(make_encoder(), chain, chain, "cosine"), options, changes)

    return check


def test_what_is_off_or_possible_passes(checked):
    checked({})
    of_one_off = {f"{SIMILARITY}.matryoshka.dims": [999], f"{SIMILARITY}.matryoshka.weights": [1.0]}
    checked(of_one_off)
    checked(ON | {f"{SIMILARITY}.matryoshka.dims": [1, 32], f"{SIMILARITY}.matryoshka.weights": [0.5, 1.0]})
    checked(ON | {f"{SIMILARITY}.angle.weight": 1.0})
    checked(ESPRESSO | {f"{SIMILARITY}.espresso.layers": [1, 2], "cache_tokens": 64})


@pytest.mark.parametrize("of", ["rank", "similarity"])
@pytest.mark.parametrize(
    ("dims", "weights", "said"),
    [
        ([33], [1.0], r"matryoshka\.dims` has 33; of these vectors 1 to 32 features"),
    ],
)
def test_impossible_cuts_are_user_errors_of_their_objective(checked, of, dims, weights, said):
    chosen = ON | {f"objectives.{of}.matryoshka.dims": dims, f"objectives.{of}.matryoshka.weights": weights}
    with pytest.raises(UserError, match=rf"^params\.yaml: `finetune_rank\.objectives\.{of}\.{said}"):
        checked(chosen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({f"{SIMILARITY}.espresso.dims": [32]}, r"espresso\.dims` has 32; of these vectors 1 to 31"),
        ({f"{SIMILARITY}.espresso.layers": [3]}, r"espresso\.layers` has 3; this encoder has the layers 1 to 2"),
    ],
)
def test_what_espresso_does_not_go_with_is_a_user_error_with_a_way_out(checked, changes, said):
    with pytest.raises(UserError, match=said):
        checked(ESPRESSO | changes)


def test_espresso_is_refused_under_batch_statistics_and_for_an_encoder_without_blocks(checked, make_encoder, options):
    with pytest.raises(UserError, match="an mlp head, whose BatchNorm would learn the statistics of every layer"):
        checked(ESPRESSO, heads.MlpHead(32, 8, 16, 0.0))
    encoder = make_encoder()
    encoder.is_packed = False
    with pytest.raises(UserError, match="needs an encoder of the BERT family"):
        check_all(system.untrained(encoder), options, ESPRESSO)


@pytest.mark.parametrize("name", ["angle", "angle_signed"])
def test_halves_of_an_odd_width_are_a_user_error_that_names_the_width(checked, name):
    chosen = ON | {f"{SIMILARITY}.{name}.weight": 1.0}
    said = rf"similarity\.{name}` halves a vector, and vectors have 15 features here; drop the loss with -S .*{name}"
    with pytest.raises(UserError, match=rf"{said}\.weight=0, or take an even finetune_rank\.head\.output"):
        checked(chosen, heads.MlpHead(32, 8, 15, 0.0))
    checked(ON, heads.MlpHead(32, 8, 15, 0.0))  # no such loss is on
    even = {f"{SIMILARITY}.matryoshka.dims": [8], f"{SIMILARITY}.matryoshka.weights": [1.0]}
    checked(chosen | even, heads.MlpHead(32, 8, 15, 0.0))  # the whole vector is in no loss


def test_a_fine_tuning_checks_before_it_encodes(paired, make_encoder, options, monkeypatch):
    cut = {f"{SIMILARITY}.matryoshka.dims": [33], f"{SIMILARITY}.matryoshka.weights": [1.0]}
    chosen = options("finetune_rank", params.FinetuneRank, ON | cut)
    monkeypatch.setattr(finetune, "vectors_for", lambda *arguments: pytest.fail("encoded"))
    with pytest.raises(UserError, match="has 33"):
        finetune.finetune_rank(system.untrained(make_encoder()), paired, chosen, ENCODER, seed=0)
