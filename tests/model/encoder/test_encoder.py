"""The encoder: texts in, vectors out, the same whatever company a text keeps."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
import torch

from whyrank.core import runtime
from whyrank.core.errors import UserError
from whyrank.model.encoder import loading
from whyrank.model.encoder.packed import length_batches

TEXTS = ["pension", "visa travel border passport when i travel", "my tax refund", "school", "the car"]


@pytest.mark.parametrize("pooling", ["mean", "cls", "max"])
@pytest.mark.parametrize("batch_tokens", [1, 20, 10_000])
def test_encode_equals_one_text_at_a_time_in_the_order_given(make_encoder, pooling, batch_tokens):
    encoder = make_encoder(pooling=pooling)
    rows = encoder.tokenise(TEXTS, 16)
    vectors = encoder.encode(rows, batch_tokens=batch_tokens, precision="fp32")
    with torch.inference_mode():
        one_by_one = np.concatenate([encoder([row]).numpy() for row in rows])
    assert vectors.dtype == np.float32 and vectors.shape == (5, 32)
    np.testing.assert_allclose(vectors, one_by_one, atol=1e-6, rtol=0)
    # The texts lie apart, so a wrong order would have been seen.
    assert np.abs(vectors[:, None] - vectors[None, :]).max(2)[~np.eye(5, dtype=bool)].min() > 1e-2


def test_encode_leaves_dropout_off_while_it_works_and_the_mode_as_it_was(tiny_encoder):
    rows = tiny_encoder.tokenise(TEXTS, 16)
    quiet = tiny_encoder.encode(rows, batch_tokens=100, precision="fp32")
    tiny_encoder.train()
    assert np.array_equal(tiny_encoder.encode(rows, batch_tokens=100, precision="fp32"), quiet)
    assert tiny_encoder.training and tiny_encoder.transformer.training
    # In training mode dropout is at work, so the equality above says something.
    assert not np.allclose(tiny_encoder(rows).detach().numpy(), quiet, atol=1e-3)


def test_encode_leaves_frozen_parts_of_an_encoder_in_training_as_they_were(tiny_encoder):
    modes = {module: module is not tiny_encoder.transformer.embeddings for module in tiny_encoder.modules()}
    for module, mode in modes.items():
        module.training = mode
    tiny_encoder.encode(tiny_encoder.tokenise(["the visa"], 16), batch_tokens=64, precision="fp32")
    assert all(module.training == mode for module, mode in modes.items())


def test_bfloat16_gives_float32_vectors_close_to_those_of_float32(tiny_encoder):
    rows = tiny_encoder.tokenise(TEXTS, 16)
    exact = tiny_encoder.encode(rows, batch_tokens=100, precision="fp32")
    half = tiny_encoder.encode(rows, batch_tokens=100, precision="bf16")
    assert half.dtype == np.float32
    assert 0 < np.abs(half - exact).max() < 0.1  # bfloat16 has 8 bits: 2^-8 of values of about 3, through 2 layers


def test_auto_precision_asks_the_processor(tiny_encoder, monkeypatch):
    rows = tiny_encoder.tokenise(TEXTS, 16)
    for has_bf16, precision in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(runtime, "processor_has_bf16", lambda answer=has_bf16: answer)
        auto = tiny_encoder.encode(rows, batch_tokens=100, precision="auto")
        assert np.array_equal(auto, tiny_encoder.encode(rows, batch_tokens=100, precision=precision))


def test_encode_of_no_texts_has_the_width_of_the_encoder(tiny_encoder):
    assert tiny_encoder.encode([], batch_tokens=10, precision="fp32").shape == (0, 32)


def test_tokenise_keeps_the_limit_with_special_tokens_and_count_leaves_them_out(tiny_encoder):
    words = "pension age payment retire"
    assert tiny_encoder.tokenizer.convert_ids_to_tokens(tiny_encoder.tokenise([words], 4)[0]) == [
        "[CLS]", "pension", "age", "[SEP]",
    ]  # fmt: skip
    assert tiny_encoder.count_tokens([words, "", " ".join([words] * 30)]) == [4, 0, 120]
    assert tiny_encoder.count_tokens([]) == []


def test_pad_takes_the_read_only_arrays_that_parquet_gives_without_a_warning(tiny_encoder):
    row = np.array([2, 7, 3])
    row.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ids, _ = tiny_encoder.pad([row])
    assert ids.tolist() == [[2, 7, 3]]


def test_pad_fills_on_the_right_with_the_padding_token_and_masks_it(tiny_encoder):
    ids, mask = tiny_encoder.pad([[2, 7, 3], [2, 3]])
    assert ids.tolist() == [[2, 7, 3], [2, 3, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize("batch_tokens", [1, 10, 37, 100, 10_000])
def test_length_batches_cover_each_text_once_longest_first_within_the_budget(batch_tokens):
    lengths = np.random.default_rng(0).integers(1, 40, 60).tolist()
    batches = list(length_batches(lengths, batch_tokens))
    assert sorted(i for batch in batches for i in batch) == list(range(60))
    in_turn = [lengths[i] for batch in batches for i in batch]
    assert in_turn == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or max(lengths[i] for i in batch) * len(batch) <= batch_tokens
    # Greedy: the first text of a batch would not have fitted into the one before.
    for one, two in pairwise(batches):
        assert lengths[one[0]] * (len(one) + 1) > batch_tokens, two


def test_length_batches_of_nothing_are_none():
    assert list(length_batches([], 10)) == []


def test_a_saved_encoder_loads_with_the_same_vectors_and_its_pooling(make_encoder, tmp_path):
    for pooling in ("mean", "cls", "max"):
        encoder = make_encoder(pooling=pooling)
        folder = tmp_path / pooling
        folder.mkdir()
        encoder.save(folder, longest=16)
        back = loading.load(folder)
        rows = encoder.tokenise(TEXTS, 16)
        assert back.pooling == pooling and not back.training
        assert back.tokenise(TEXTS, 16) == rows
        assert np.array_equal(
            back.encode(rows, batch_tokens=100, precision="fp32"),
            encoder.encode(rows, batch_tokens=100, precision="fp32"),
        )


def test_what_was_tokenised_before_leaves_no_trace_in_what_is_saved(make_encoder, tmp_path):
    for name, limit in (("first", 4), ("second", 9)):
        encoder = make_encoder()
        encoder.tokenise(TEXTS, limit)
        (tmp_path / name).mkdir()
        encoder.save(tmp_path / name, longest=16)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()


def test_a_pooling_named_in_the_parameters_goes_before_the_declared_one(tiny_folder):
    assert loading.load(tiny_folder).pooling == "mean"
    other = loading.load(tiny_folder, pooling="cls")
    assert (other.pooling, other.declared.pooling) == ("cls", "mean")


def test_a_folder_without_an_encoder_is_a_user_error_of_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be loaded: it has no config") as error:
        loading.load(tmp_path)
    assert "\n" not in str(error.value)


def test_what_is_saved_does_not_tell_how_the_tokenizer_was_read(tiny_encoder, tmp_path):
    saved = []
    for number, how in enumerate(({"local_files_only": True, "is_local": True}, {"local_files_only": False}, {})):
        tiny_encoder.tokenizer.init_kwargs |= how
        tiny_encoder.save(tmp_path / str(number), longest=16)
        saved.append((tmp_path / str(number) / "tokenizer_config.json").read_bytes())
    assert saved[0] == saved[1] == saved[2]
