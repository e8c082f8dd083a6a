"""What is measured of an encoder, on tiny ones with a fault planted in their weights or in their forward pass."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from whyrank.core.options import params
from whyrank.data.ranking.otherwise import COLUMNS
from whyrank.model.encoder.declared import Declared
from whyrank.preflight.figures import encoder as health
from whyrank.preflight.figures.encoder import halves, layers, pieces, readings, repeats, sample, selections, specials

OPTIONS = params.Encoder(
    "scratch", pooling="auto", precision="fp32", attention_dropout=0.0, batch_tokens=200, trust_remote_code=False
)

NOTHING_CUT = pd.DataFrame(columns=COLUMNS)


@pytest.fixture
def rows(topics, tiny_encoder):
    return sample.draw(topics).rows(tiny_encoder)


def learnt_together(encoder: Any) -> Any:
    """Weights that lie along their partners, as training leaves them."""
    for layer in encoder.transformer.encoder.layer:
        attention = layer.attention.self
        attention.key.weight.data += attention.query.weight.data
        layer.attention.output.dense.weight.data += attention.value.weight.data.T
        layer.output.dense.weight.data += layer.intermediate.dense.weight.data.T
    return encoder


def test_the_fit_of_weights_tells_those_learnt_together_from_independent_ones(make_encoder, rows):
    fits = ["fit_query_key", "fit_value_output", "fit_feed_forward"]
    assert layers.table(make_encoder(), rows)[fits].to_numpy().max() < 2
    encoder = learnt_together(make_encoder())
    assert layers.table(encoder, rows)[fits].to_numpy().min() > 8
    dense = encoder.transformer.encoder.layer[1].attention.output.dense.weight.data
    dense.copy_(dense.roll(16, 1))  # the other head's
    found = layers.table(encoder, rows)["fit_value_output"]
    assert found[0] > 8 and found[1] < 2


def test_zero_copied_and_constant_layers_show(make_encoder, rows):
    encoder = make_encoder()
    first, second = encoder.transformer.encoder.layer
    healthy = layers.table(encoder, rows)
    assert healthy["change"].min() > 0.1 and healthy["spread"].min() > 0.1 and set(healthy["copy_of"]) == {0}
    second.load_state_dict(first.state_dict())
    assert layers.table(encoder, rows)["copy_of"].tolist() == [0, 1]
    nn.init.zeros_(second.attention.self.value.weight)
    second.output.LayerNorm.weight.data.zero_()
    found = layers.table(encoder, rows)
    assert found["rms_value"][1] == 0 and found["fit_value_output"][1] == 0 and found["gain_low"][1] == 0
    assert found["spread"][1] < 1e-6


def test_values_of_a_row_are_counted_and_a_weight_of_zeros_is_told_elsewhere():
    weight = torch.randn(20, 256, generator=torch.Generator().manual_seed(0))
    assert layers.levels(weight) > 250
    assert layers.levels(weight.sign()) == 2
    assert layers.levels(torch.zeros(20, 256)) == 256


def test_a_layer_that_hands_on_its_input_changes_nothing(make_encoder, rows, monkeypatch):
    encoder = make_encoder()
    second = encoder.transformer.encoder.layer[1]
    monkeypatch.setattr(second, "forward", lambda hidden, *_, **__: hidden)
    assert layers.table(encoder, rows)["change"][1] == 0


def spelled(related: bool) -> Any:
    """A vocabulary of 200 words with their plurals, whose embeddings lie near or anywhere; positions along a curve."""
    torch.manual_seed(0)
    words = [f"{a}{b}bba" for a in "bcdfghjklm" for b in "aeioubcdfghjklmnpqrs"]
    vocabulary = {word: i for i, word in enumerate([*words, *(word + "s" for word in words)])}
    transformer = nn.Module()
    embeddings = nn.Embedding(400, 32)
    if related:
        embeddings.weight.data[200:] = embeddings.weight.data[:200] + 0.3 * torch.randn(200, 32)
    transformer.embeddings = nn.Module()
    transformer.embeddings.position_embeddings = nn.Embedding(64, 32)
    transformer.embeddings.position_embeddings.weight.data = torch.randn(64, 32).cumsum(0)
    transformer.get_input_embeddings = lambda: embeddings
    tokenizer = SimpleNamespace(get_vocab=lambda: vocabulary, all_special_tokens=[])
    return SimpleNamespace(transformer=transformer, tokenizer=tokenizer, first_position=0)


def test_pieces_of_one_word_lie_near_unless_rows_were_moved():
    table = pieces.table(spelled(related=True)).set_index("relation")
    assert table.loc["ending", "pairs"] == 200 and table.loc["ending", "nearer"] > 0.95
    assert table.loc["neighbours", "nearer"] > 0.95
    encoder = spelled(related=False)
    encoder.transformer.embeddings.position_embeddings.weight.data = torch.randn(64, 32)
    table = pieces.table(encoder).set_index("relation")
    assert 0.35 < table.loc["ending", "nearer"] < 0.65 and 0.3 < table.loc["neighbours", "nearer"] < 0.7


WAYS = ["again", "regrouped", "alone", "library"]


@pytest.mark.parametrize(
    "pooling", ["mean", "cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens", "cls+mean"]
)
def test_the_vectors_of_a_sound_encoder_are_their_texts_own(pooling, topics, make_encoder):
    table = repeats.table(make_encoder(pooling=pooling), sample.draw(topics), OPTIONS)
    assert len(table) == 6 + 2 * sample.TEXTS and table[WAYS].min().min() > 0.99999
    assert table["alone"].notna().sum() == table["library"].notna().sum() == repeats.ALONE


def test_dropout_left_on_shows_in_the_second_call(topics, make_encoder):
    encoder = make_encoder()
    encoder.transformer.register_forward_hook(_on_states(lambda states: nn.functional.dropout(states, 0.3)))
    assert repeats.table(encoder, sample.draw(topics), OPTIONS)["again"].max() < 0.999


def test_what_comes_from_the_other_texts_of_a_batch_shows(topics, make_encoder):
    encoder = make_encoder()
    encoder.transformer.register_forward_hook(_on_states(lambda states: states + states.mean(1, keepdim=True)))
    table = repeats.table(encoder, sample.draw(topics), OPTIONS)
    assert table["again"].min() > 0.9999 and min(table["regrouped"].min(), table["alone"].min()) < 0.99


def test_positions_of_ours_that_are_not_the_librarys_show(topics, make_encoder, monkeypatch):
    encoder = make_encoder()
    monkeypatch.setattr(type(encoder), "first_position", 3)
    table = repeats.table(encoder, sample.draw(topics), OPTIONS)
    assert table[["again", "regrouped", "alone"]].min().min() > 0.9999 and table["library"].min() < 0.999


def _on_states(change: Any) -> Any:
    def hook(module: nn.Module, given: Any, output: Any) -> Any:
        output.last_hidden_state = change(output.last_hidden_state)
        return output

    return hook


def test_halves_and_moved_words_of_the_answers(topics, make_encoder):
    encoder = make_encoder()
    table = halves.table(encoder, topics, OPTIONS)
    assert len(table) == 6 and table["moved"].min() > 1e-4
    assert table[["encoder", "embeddings", "shared_words", "edited"]].min().min() > 0
    encoder.transformer.embeddings.position_embeddings.weight.data.zero_()
    assert halves.table(encoder, topics, OPTIONS)["moved"].max() < 1e-5


def test_a_text_is_cut_by_sentences_and_a_short_one_in_the_middle():
    assert halves.cut("One. Two! Three? Four.") == ("One. Three?", "Two! Four.")
    words = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"]
    assert halves.cut(" ".join(words)) == ("a b c d e f", "g h i j k l")
    assert halves.cut("一二三四") == ("一二", "三四")


def test_readings_of_training_queries_and_prompts(topics, make_encoder):
    encoder = make_encoder()
    found = readings.tables(encoder, topics, OPTIONS)
    table, space = found["encoder_readings"], found["encoder_space"].iloc[0]
    assert len(table) == 48 and (table["used"] == table["cosine"]).all()
    assert {"centred", "by_side", "standardised", "shared_words"} < set(table) and "float32" not in table
    assert space["used_prompts"] == " | " and space["finite"] == 1
    encoder.declared = Declared(prompts={"query": "my ", "document": ""})
    assert "without_prompts" in readings.tables(encoder, topics, OPTIONS)["encoder_readings"]
    assert encoder.declared.prompts == {"query": "my ", "document": ""}
    encoder.declared = Declared(similarity="dot")
    table = readings.tables(encoder, topics, OPTIONS)["encoder_readings"]
    assert (table["used"] == table["dot"]).all()


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("intfloat/e5-small-v2", ("query: ", "passage: ")),
        ("BAAI/bge-small-en-v1.5", ("Represent this sentence for searching relevant passages: ", "")),
        ("BAAI/bge-m3", None),
        ("sentence-transformers/all-MiniLM-L6-v2", None),
    ],
)
def test_families_are_known_by_their_names(name, family, make_encoder, monkeypatch):
    encoder = make_encoder()
    monkeypatch.setattr(encoder.transformer.config, "_name_or_path", name)
    assert readings.prompts_of(encoder, OPTIONS).get("family") == family


def test_texts_without_their_special_tokens_are_counted(topics, tiny_encoder):
    table = specials.table(tiny_encoder, topics).set_index("kind")
    assert table.loc["query", ["begins", "ends", "doubled"]].tolist() == [1, 1, 0]
    topics.texts.table["input_ids"] = [
        row if kind == "answer" else row[1:] for kind, row in topics.texts.table[["kind", "input_ids"]].to_numpy()
    ]
    try:
        assert specials.table(tiny_encoder, topics).set_index("kind").loc["query", "begins"] == 0
    finally:
        del topics.__dict__["texts"]


def tried(ids: list[str], kind: str, **ways: list[str]) -> pd.DataFrame:
    """The first way is the one in use."""
    parts = [
        pd.DataFrame({"kind": kind, "id": ids, "way": way, "is_used": not i, "text": texts})
        for i, (way, texts) in enumerate(ways.items())
    ]
    return pd.concat(parts)[COLUMNS]


def test_ways_to_cut_queries_are_ranked_among_all_answers(topics, tiny_encoder):
    dev = topics.queries[topics.queries["split"] == "dev"]
    own = topics.relevant_in("dev").drop_duplicates("query").set_index("query")["answer"]
    answers = [topics.answers["text"][own[row]] for row in dev.index]
    otherwise = tried(dev["query_id"].tolist(), "question", head=dev["text"].tolist(), tail=answers)
    table = selections.table(tiny_encoder, topics, otherwise, OPTIONS)
    by_way = table.pivot_table("reciprocal_rank", "query_id", "way")
    # As their own answers the queries find them; as they are, as the encoder ranks them now.
    assert (by_way["tail"] == 1).all() and by_way["head"].mean() < 0.9
    vector_ND = tiny_encoder.encode(topics.token_ids, batch_tokens=200, precision="fp32")
    query_QD = vector_ND[topics.texts.of("query")[dev.index]]
    used = readings.read(
        np.concatenate([vector_ND[topics.texts.of("answer")], query_QD]), own[dev.index].to_numpy(),
        len(topics.answers), "cosine",
    )["used"]  # fmt: skip
    np.testing.assert_allclose(by_way.loc[dev["query_id"], "head"], used)
    assert table.loc[table["is_used"], "way"].unique().tolist() == ["head"]


def test_ways_to_cut_answers_are_ranked_among_those_that_were_tried(topics, tiny_encoder):
    pairs = topics.relevant_in("dev").drop_duplicates("query").drop_duplicates("answer")
    ids = topics.answers["answer_id"][pairs["answer"]].tolist()
    asked = topics.queries["text"][pairs["query"]].tolist()
    texts = topics.answers["text"][pairs["answer"]].tolist()
    table = selections.table(tiny_encoder, topics, tried(ids, "answer", head=texts, tail=asked), OPTIONS)
    assert len(table) == 2 * len(ids)
    by_way = table.groupby("way")["reciprocal_rank"].mean()
    assert by_way["tail"] == 1 and 1 / len(ids) < by_way["head"] < 1


def test_where_nothing_is_cut_nothing_is_encoded(topics):
    assert selections.table(None, topics, NOTHING_CUT, OPTIONS).empty


def test_all_tables_are_recorded_and_equal_the_second_time(topics, make_encoder):
    parts = (health.parts(make_encoder(), topics, OPTIONS, NOTHING_CUT) for _ in range(2))
    first, second = ({name: table for part in made for name, table in part().items()} for made in parts)
    assert list(first) == [
        *("encoder_layers", "encoder_pieces", "encoder_repeats", "encoder_halves", "encoder_specials"),
        *("encoder_readings", "encoder_space"),
    ]
    assert all(first[name].equals(second[name]) for name in first)
    layers = first["encoder_layers"]
    assert np.isfinite(layers.drop(columns=["made_here", "levels"]).to_numpy(dtype=float)).all()
    # Its weights are narrower than a count of their values takes.
    assert layers["levels"].isna().all()


def test_texts_that_other_labels_leave_as_they_are_are_encoded_once(topics, tiny_encoder, monkeypatch):
    """Conversations are the same of any labels; answers are those that dev queries ask for."""
    encoded = []
    encode = tiny_encoder.encode
    monkeypatch.setattr(tiny_encoder, "encode", lambda rows, **how: encoded.append(len(rows)) or encode(rows, **how))
    own = topics.queries[(topics.queries["split"] == "dev") & (topics.queries["type"] == "conversation")]
    ids, asked = own["query_id"].tolist(), topics.answers["answer_id"].tolist()
    cut = [f"{text} please" for text in own["text"]]
    for answers in (asked[:4], asked[2:]):
        texts = [f"{text} about" for text in topics.answers.set_index("answer_id").loc[answers, "text"]]
        otherwise = pd.concat(
            [
                tried(ids, "conversation", head=own["text"].tolist(), tail=cut),
                tried(answers, "answer", head=texts, tail=texts),
            ],
            ignore_index=True,
        )
        selections.table(tiny_encoder, topics, otherwise, OPTIONS)
        halves.table(tiny_encoder, topics, OPTIONS)
    once = sum(encoded)
    selections.table(tiny_encoder, topics, otherwise, OPTIONS)
    assert sum(encoded) == once
    # All texts; the conversations; four answers of either labels. The halves are the same both times.
    assert encoded[0] == len(topics.token_ids) and encoded.count(len(ids)) == 1 and encoded.count(4) == 2
