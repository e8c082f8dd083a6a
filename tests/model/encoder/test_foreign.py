"""An encoder from elsewhere gives the vectors of sentence-transformers, as it comes and as we write it again."""

import dataclasses
import json

import numpy as np
import pytest
import transformers

from whyrank.core.errors import UserError
from whyrank.core.options.encoder import Prompts
from whyrank.core.options.params import Encoder as Options
from whyrank.model import system
from whyrank.model.encoder import declared, loading, source

from . import foreign

LONG = 20
PROMPTS = {"query": "query: ", "document": "passage: "}
FLAGS = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken")


def flags(*on):
    """The old spelling of a pooling."""
    return {f"pooling_mode_{name}": name in on for name in FLAGS}


LAYOUTS = {
    "normalised": {"above": ("Normalize",)},
    "dense": {"above": ("Dense", "Normalize")},
    "dense on normalised": {"above": ("Normalize", "Dense")},
    "layer norm and dropout": {"above": ("LayerNorm", "Dropout", "Dense")},
    "cls and mean": {"pooling": flags("cls_token", "mean_tokens")},
    "cls, mean and max under dense": {"pooling": flags("cls_token", "mean_tokens", "max_tokens"), "above": ("Dense",)},
    "several in the new spelling": {"pooling": {"pooling_mode": ["lasttoken", "mean"]}},
    "none is true": {"pooling": flags()},
    "prompts": {"prompts": PROMPTS},
    "prompts and dense": {"prompts": PROMPTS, "above": ("Dense",)},
    "one prompt, by default": {"prompts": {"query": "ask: ", "other": "see: "}, "default_prompt_name": "other"},
    "a prompt called passage": {"prompts": {"query": "query: ", "passage": "passage: "}},
    "a prompt of null": {"prompts": {"query": "query: ", "document": None}},
    "dot": {"similarity_fn_name": "dot"},
    "dot of unit vectors": {"similarity_fn_name": "dot", "above": ("Normalize",)},
    "transformer in a folder": {"inner": "0_Transformer", "pooling": flags("cls_token")},
    **{name: {"pooling": flags(name)} for name in FLAGS},
}


def test_a_length_that_stands_with_the_tokenizer_is_that_of_the_library(tmp_path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(foreign.library_folder(tmp_path / "first")), device="cpu")
    model.max_seq_length = 21
    model.save_pretrained(str(tmp_path / "saved"))
    assert declared.read(tmp_path / "saved").longest == 21
    file = tmp_path / "saved/tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 10**30}))
    assert declared.read(tmp_path / "saved").longest == 0  # so transformers says that there is no limit
    file.write_text(json.dumps(json.loads(file.read_text()) | {"model_max_length": 21}))
    assert SentenceTransformer(str(tmp_path / "saved"), device="cpu").max_seq_length == 21


def theirs(folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = LONG
    texts = [*foreign.SENTENCES, "pension"]
    return {
        "query": model.encode_query(texts),
        "document": model.encode_document(texts),
        None: model.encode(texts),
        "score": model.similarity(model.encode_query(texts), model.encode_document(texts)).numpy(),
    }


def ours(of):
    encoder, texts = of.encoder, [*foreign.SENTENCES, "pension"]
    found = {}
    for side in ("query", "document", None):
        rows = encoder.tokenise(texts, LONG, side)
        vector_ND = encoder.encode(rows, batch_tokens=100, precision="fp32")
        found[side] = unit(vector_ND) if encoder.declared.normalises else vector_ND
    query_NO, document_NO = (found["query"], found["document"])
    if of.score == "cosine":
        query_NO, document_NO = unit(query_NO), unit(document_NO)
    return found | {"score": query_NO @ document_NO.T}


def unit(vector_ND):
    return vector_ND / np.linalg.norm(vector_ND, axis=1, keepdims=True)


def assert_same(one, other):
    for key in ("query", "document", None, "score"):
        np.testing.assert_allclose(one[key], other[key], atol=1e-5, rtol=1e-5, err_msg=str(key))


def assert_read_as_it_is(folder, tmp_path):
    """As it comes, after it was written as a system, and read as one again."""
    expected, found = theirs(folder), system.untrained(loading.load(folder))
    assert np.abs(np.diff(expected["query"], axis=0)).max() > 1e-2, "texts that lie together would prove nothing"
    assert_same(ours(found), expected)
    system.save(found, tmp_path / "written", longest=LONG)
    assert_same(theirs(tmp_path / "written"), expected)
    assert_same(ours(system.load(tmp_path / "written")), expected)


@pytest.mark.parametrize("name", foreign.ARCHITECTURES)
def test_every_architecture_gives_the_vectors_of_sentence_transformers(tmp_path, name):
    model, pieces = foreign.architecture(name)
    model.save_pretrained(tmp_path / "plain")
    pieces.save_pretrained(tmp_path / "plain")
    assert_read_as_it_is(tmp_path / "plain", tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_vectors_of_sentence_transformers(tmp_path, layout):
    assert_read_as_it_is(foreign.library_folder(tmp_path / "model", **LAYOUTS[layout]), tmp_path)


def test_lower_case_is_asked_of_the_tokenizer_whatever_it_does_itself(tmp_path):
    model, pieces = foreign.architecture("roberta")
    model.save_pretrained(tmp_path / "model")
    pieces.save_pretrained(tmp_path / "model")
    listed = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]
    listed.append({"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"})
    (tmp_path / "model" / "modules.json").write_text(json.dumps(listed))
    (tmp_path / "model" / "1_Pooling").mkdir()
    (tmp_path / "model" / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32}))
    (tmp_path / "model" / "sentence_bert_config.json").write_text(json.dumps({"do_lower_case": True}))
    assert_read_as_it_is(tmp_path / "model", tmp_path)
    encoder = loading.load(tmp_path / "model")
    assert encoder.tokenise(["A VISA"], 16) == encoder.tokenise(["a visa"], 16)


def test_lower_case_stays_where_transformers_makes_the_tokenizer_anew_from_its_vocabulary(tmp_path):
    folder = foreign.library_folder(tmp_path / "model")
    capitals = transformers.BertTokenizer(vocab=foreign.wordpiece().get_vocab(), do_lower_case=False)
    capitals.save_pretrained(folder)
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 24, "do_lower_case": True}))
    encoder = loading.load(folder)
    for name in ("once", "twice"):  # pretraining and tuning each save it
        system.save(system.untrained(encoder), tmp_path / name, longest=16)
        encoder = system.load(tmp_path / name).encoder
        assert encoder.tokenise(["A VISA"], 16) == encoder.tokenise(["a visa"], 16)
        assert_same(theirs(tmp_path / name), theirs(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"above": ("Dense",), "kind": ("Dense", "LSTM")}, "has a module LSTM above the pooling"),
        ({"kind": ("Pooling", "WordWeights")}, "starts with Transformer and WordWeights"),
        ({"kind": ("Transformer", "CLIPModel")}, "starts with CLIPModel"),
        (
            {"kind": ("sentence_transformers.models.Transformer", "custom_st.Transformer")},
            "has the module custom_st.Trans",
        ),
        ({"above": ("Dense",), "kind": ("Dense", "Router")}, "has a Router of two heads"),
        ({"pooling": {"pooling_mode": "attention"}}, "declares the pooling 'attention'"),
        ({"similarity_fn_name": "euclidean"}, "compares vectors by euclidean"),
        ({"prompts": PROMPTS, "default_prompt_name": "passage"}, "names 'passage' as its default prompt"),
        (
            {"prompts": PROMPTS, "pooling": {"pooling_mode": "mean", "include_prompt": False}},
            "leaves its prompts out of the pooling",
        ),
    ],
)
def test_what_cannot_be_represented_is_refused_with_the_reason(tmp_path, change, said):
    kind = change.pop("kind", None)
    folder = foreign.library_folder(tmp_path / "model", **change)
    if kind is not None:
        file = folder / "modules.json"
        before, after = kind if "." in kind[0] else (f"models.{name}" for name in kind)
        file.write_text(file.read_text().replace(before, after))
    with pytest.raises(UserError, match=said) as error:
        loading.load(folder, name="their/model")
    assert "`encoder.source` 'their/model' cannot be loaded: it " in str(error.value) and "\n" not in str(error.value)


def test_prompts_of_the_parameters_take_the_place_of_the_declared_ones(tmp_path):
    folder = foreign.library_folder(tmp_path / "model", prompts=PROMPTS, default_prompt_name="query")
    options = Options(str(folder), "auto", "fp32", 0.0, batch_tokens=100, trust_remote_code=False)

    def prompts(value):
        found = source.bring(dataclasses.replace(options, prompts=value), []).declared
        return [found.prompt(side) for side in ("query", "document", None)]

    assert prompts("auto") == ["query: ", "passage: ", "query: "]
    assert prompts("none") == ["", "", ""]
    assert prompts(Prompts(query="Q ")) == ["Q ", "", ""]


def test_a_pooling_that_does_not_fit_what_stands_above_it_is_refused(tmp_path):
    folder = foreign.library_folder(tmp_path / "model", **LAYOUTS["cls, mean and max under dense"])
    with pytest.raises(UserError, match="Dense above its pooling, which do not take what mean gives"):
        loading.load(folder, pooling="mean")


def test_the_limit_is_that_of_the_position_table_less_the_places_kept_for_padding():
    limits = {"roberta": 512, "xlm-roberta": 512, "camembert": 512, "mpnet": 512, "bert": 512, "modernbert": 256}
    for name, limit in limits.items():
        model, pieces = foreign.architecture(name)
        encoder = loading.Encoder(model, pieces, "mean").eval()
        assert encoder.longest == limit, name
        longest = encoder.encode([[5] * limit], batch_tokens=600, precision="fp32")
        assert np.isfinite(longest).all()
    model, pieces = foreign.architecture("t5")
    t5 = loading.Encoder(model, pieces, "mean").eval()
    assert t5.longest == 1_000_000
    assert np.isfinite(t5.encode([[5] * 700], batch_tokens=700, precision="fp32")).all()


def test_an_encoder_that_cannot_be_cut_says_what_training_cannot_do_with_it(tmp_path, capsys):
    model, pieces = foreign.architecture("distilbert")
    model.save_pretrained(tmp_path)
    pieces.save_pretrained(tmp_path)
    source.bring(Options(str(tmp_path), "auto", "fp32", 0.0, batch_tokens=100, trust_remote_code=False), [])
    said = capsys.readouterr().err
    assert "DistilBertModel is not of the BERT family" in said and "`train: last`" in said
    assert said.count("\n") == 1


def test_a_prompt_that_no_side_uses_and_weights_of_a_classifier_are_said_in_a_line(tmp_path, capsys):
    folder = foreign.library_folder(tmp_path / "model", prompts={"query": "query: ", "passage": "passage: "})
    config = json.loads((folder / "config.json").read_text())
    options = Options(str(folder), "auto", "fp32", 0.0, batch_tokens=100, trust_remote_code=False)
    source.bring(options, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "its prompts passage stand before neither" in line and "encoder.prompts" in line
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["BertForSequenceClassification"]}))
    source.bring(dataclasses.replace(options, prompts="none"), [])
    (line,) = capsys.readouterr().err.splitlines()
    assert "those of a BertForSequenceClassification" in line


def test_an_ordinary_encoder_is_loaded_without_a_word(tmp_path, capfd):
    folder = foreign.library_folder(tmp_path / "model", prompts=PROMPTS)
    source.bring(Options(str(folder), "auto", "fp32", 0.0, batch_tokens=100, trust_remote_code=False), [])
    assert capfd.readouterr() == ("", "")


def test_an_own_folder_tells_modules_of_the_encoder_from_heads(tmp_path):
    folder = foreign.library_folder(tmp_path / "model", above=("LayerNorm", "Dense", "Normalize"), prompts=PROMPTS)
    assert declared.read(folder).projection == (("LayerNorm", "2_LayerNorm"), ("Dense", "3_Dense"))
    assert declared.read(folder, own_modules=1).projection == (("LayerNorm", "2_LayerNorm"),)
    assert declared.read(folder).normalises
