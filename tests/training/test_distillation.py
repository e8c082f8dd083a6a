"""A teacher beside the objectives: its vectors, the term, and that the student keeps what the teacher knew."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.model import system
from whyrank.model.encoder import layers
from whyrank.model.encoder.declared import Declared
from whyrank.model.heads import heads
from whyrank.model.heads.task_heads import TaskHeads
from whyrank.training import distillation, finetune
from whyrank.training.barlow.texts import with_views
from whyrank.training.distillation import Teacher, distil
from whyrank.training.engine.objective import Step
from whyrank.training.engine.trained import checkpoints_of

ENCODER = params.Encoder("folder", "auto", "fp32", 0.0, batch_tokens=256, trust_remote_code=False)
ON = {"distillation.weight": 1.0}


@pytest.fixture
def finetuning(options):
    return lambda changes=None: options("finetune_rank", params.FinetuneRank, ON | (changes or {}))


@pytest.fixture
def teacher(make_encoder):
    return Teacher(system.untrained(make_encoder()), 16)


# The teacher ------------------------------------------------------------------------------------------------


def test_the_vectors_of_the_teacher_are_those_of_the_texts_that_training_reads_answers_as_answers(
    paired, make_encoder, finetuning
):
    torch.manual_seed(0)
    query_head, answer_head = (nn.Sequential(heads.MlpHead(32, 8, 16, 0.1)).eval() for _ in range(2))
    dual = system.System(make_encoder(), query_head, answer_head, "cosine")
    student = system.System(make_encoder(), query_head, query_head, "cosine")
    found = distillation.vectors(Teacher(dual, 16), student, paired, finetuning().distillation, ENCODER)
    rows = paired.training_token_ids
    encoded = torch.as_tensor(dual.encoder.encode(rows, batch_tokens=256, precision="fp32"))
    with torch.no_grad():
        expected = torch.cat([answer_head(encoded[:6]), query_head(encoded[6:])])
    assert found.shape == (len(rows), 16) and not found.requires_grad
    torch.testing.assert_close(found, functional.normalize(expected, dim=1), atol=1e-5, rtol=0)


def test_the_teacher_reads_texts_by_its_own_tokenizer_not_by_the_ids_of_the_student(topics, teacher, finetuning):
    shifted = topics.answers.assign(input_ids=[[5, 6, 7]] * len(topics.answers))
    options = finetuning().distillation
    one, other = (
        distillation.vectors(teacher, teacher.system, prepared, options, ENCODER)
        for prepared in (topics, replace(topics, answers=shifted))
    )
    assert torch.equal(one, other)


def test_a_system_and_an_encoder_by_itself_are_teachers_and_off_is_none(
    tiny_folder, make_encoder, tmp_path, finetuning
):
    options = finetuning({"distillation.teacher": str(tiny_folder)}).distillation
    assert distillation.load(options).longest == 16
    assert distillation.load(replace(options, weight=0.0)) is None
    make_encoder().save(tmp_path / "encoder", longest=16)
    bare = distillation.load(replace(options, teacher=str(tmp_path / "encoder")))
    assert bare.longest == 16 and len(bare.system.query_head) == 0


def test_a_teacher_that_is_not_there_is_a_user_error(finetuning, tmp_path):
    options = finetuning({"distillation.teacher": str(tmp_path)}).distillation
    with pytest.raises(UserError, match=r"`finetune_rank\.distillation\.teacher` is .*, no folder of a system"):
        distillation.load(options)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, r"the student's have 16 features, the teacher's 32; use -S .*of=scores -S .*loss=kl"),
        ({"of": "scores", "loss": "kl"}, r"the student scores by dot, the teacher by cosine; use -S .*kind=cosine"),
    ],
)
def test_a_student_that_cannot_be_compared_is_a_user_error_with_a_way_out(
    topics, teacher, make_encoder, finetuning, changes, said
):
    chain = nn.Sequential(heads.MlpHead(32, 8, 16, 0.1))
    student = system.System(make_encoder(), chain, chain, "dot")
    options = replace(finetuning().distillation, **changes)
    with pytest.raises(UserError, match=said):
        distillation.vectors(teacher, student, topics, options, ENCODER)


def test_the_heads_of_all_tasks_are_compared_with_the_teacher(topics, teacher, make_encoder, finetuning):
    own = {"similarity": nn.Sequential(heads.MlpHead(32, 8, 12, 0.1))}
    chain = nn.Sequential()
    student = system.System(make_encoder(), chain, chain, "cosine", TaskHeads(["rank", "similarity"], own))
    with pytest.raises(UserError, match="the student's have 12 features, the teacher's 32"):
        distillation.vectors(teacher, student, topics, finetuning().distillation, ENCODER)


def test_another_teacher_is_another_training_to_a_checkpoint(topics, teacher, finetuning):
    names = {
        checkpoints_of(teacher.system, topics, finetuning(), ENCODER, 7, vectors).folder
        for vectors in (None, torch.zeros(3, 4), torch.ones(3, 4))
    }
    assert len(names) == 3


# The term ---------------------------------------------------------------------------------------------------


def a_step(*sizes, width=4):
    """Sides of texts 10, 11, ... and a table of a teacher, both drawn."""
    random = torch.Generator().manual_seed(0)
    sides = [torch.randn(size, width, generator=random) for size in sizes]
    return Step(torch.tensor(0.0), {}, list(range(10, 10 + sum(sizes))), sides)


TABLE = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))


def test_the_term_of_vectors_compares_each_text_with_the_same_text_of_the_teacher(finetuning):
    step = a_step(2, 3)
    options = finetuning({"distillation.loss": "mse"}).distillation
    found = distil(TABLE, options, 20.0, step)
    torch.testing.assert_close(found, (torch.cat(step.sides) - TABLE[10:15]).square().mean())
    of_cosine = Step(step.loss, {}, [12, 10], [3 * TABLE[12:13], TABLE[10:11]])
    assert distil(TABLE, replace(options, loss="cosine"), 20.0, of_cosine).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("sizes", [(2, 3), (2, 3, 1), (3,)])
def test_the_term_of_scores_compares_the_first_side_with_the_others_whatever_the_widths(finetuning, sizes):
    step = a_step(*sizes, width=7)
    options = finetuning({"distillation.of": "scores", "distillation.loss": "mse"}).distillation
    first, *others = (side.double() for side in step.sides)
    teacher = TABLE[10 : 10 + sum(sizes)].double()
    student_RC = first @ torch.cat(others or [first]).T
    teacher_RC = teacher[: sizes[0]] @ (teacher[sizes[0] :] if others else teacher).T
    assert distil(TABLE, options, 20.0, step).item() == pytest.approx(
        (student_RC - teacher_RC).square().mean().item(), rel=1e-4
    )
    kl = distil(TABLE, replace(options, loss="kl", temperature=2.0), 3.0, step).item()
    student, target = ((3 * score / 2).softmax(1) for score in (student_RC, teacher_RC))
    assert kl == pytest.approx(4 * (target * (target / student).log()).sum(1).mean().item(), rel=1e-3)


# In training ------------------------------------------------------------------------------------------------

BOTH = {
    "objectives.similarity.weight": 1.0,
    "objectives.similarity.cosine.weight": 1.0,
    "candidates": "batch",
    "batch_size": 12,
    "head.kind": "none",
    "train": "all",
    "epochs": 3,
    "encoder_learning_rate": 1e-3,
    "early_stopping.metric": "",
    "early_stopping.evaluations": 1,
}


def distance(one, other, prepared):
    """1 - mean cosine of the vectors that two encoders give the test texts of pairs, which no training reads."""
    rows = list(prepared.pair_texts["input_ids"])[len(prepared.training_token_ids) - len(prepared.token_ids) :]
    sides = [torch.as_tensor(of.encode(rows, batch_tokens=256, precision="fp32")) for of in (one, other)]
    return 1 - functional.cosine_similarity(*sides).mean().item()


@pytest.mark.parametrize(("of", "loss"), [("vectors", "cosine"), ("scores", "kl")])
def test_ranking_and_pairs_trained_beside_a_teacher_forget_less_of_it(
    paired, teacher, make_encoder, finetuning, of, loss
):
    found = []
    for weight in (0.0, 10.0):
        changes = {"distillation.weight": weight, "distillation.of": of, "distillation.loss": loss}
        options = finetuning(BOTH | changes)
        trained = finetune.finetune_rank(
            system.untrained(make_encoder()), paired, options, ENCODER, 7, teacher if weight else None
        )
        found.append(distance(trained.system.encoder, teacher.system.encoder, paired))
        terms = [f"{name}_distillation" for name in ("rank", "similarity")]
        assert all((name in trained.history.steps) == (weight > 0) for name in terms)
    assert found[1] < 0.75 * found[0]


OBJECTIVES = {
    "all answers": {"rank.weight": 1.0},
    "answers of the batch": {"rank.weight": 1.0, "candidates": "batch"},
    "kept answers": {"rank.weight": 1.0, "candidates": "kept"},
    "answers of the batch and mined ones": {"rank.weight": 1.0, "candidates": "batch", "hard_negatives.count": 2},
    "pairs and their opposites": {"similarity.weight": 1.0, "similarity.contrastive.weight": 1.0},
    "pairs at several layers": {
        "similarity.weight": 1.0,
        "similarity.cosine.weight": 1.0,
        "similarity.espresso.dims": [8],
    },
    "classes of pairs": {"classification.weight": 1.0},
    "types of queries": {"classification.weight": 1.0, "classification.of": "query_type"},
    "two views": {"views.weight": 1.0, "rank.weight": 1.0, "views.views": ["span-document", "query-answer"]},
    "rated texts": {"ratings.weight": 1.0},
}


@pytest.mark.parametrize(
    ("of", "loss"), [("vectors", "mse"), ("vectors", "cosine"), ("scores", "mse"), ("scores", "kl")]
)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_teacher_agrees_with_a_copy_of_itself_on_the_texts_of_every_objective(
    name, of, loss, paired, rated_apart, teacher, make_encoder, finetuning
):
    on = {"rank.weight": 0.0} | OBJECTIVES[name]
    changes = {key if key.startswith(("candidates", "hard")) else f"objectives.{key}": on[key] for key in on}
    changes |= {"distillation.of": of, "distillation.loss": loss, "head.kind": "none", "train": "all", "batch_size": 5}
    options = finetuning(changes | {"max_steps": 1, "early_stopping.metric": ""})
    prepared = replace(rated_apart, held_out=0) if name == "rated texts" else paired
    student = system.untrained(make_encoder())
    for module in student.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    steps = finetune.finetune_rank(student, prepared, options, ENCODER, 7, teacher).history.steps
    for objective in options.objectives.on:
        assert steps[f"{objective}_distillation"].iloc[0] == pytest.approx(0, abs=1e-5), objective


@pytest.mark.parametrize("of", ["vectors", "scores"])
def test_kept_answers_that_get_no_gradient_do_not_thin_out_the_agreement_on_those_of_the_batch(
    of, topics, make_encoder, finetuning
):
    other = Teacher(system.untrained(make_encoder(seed=1)), 16)
    found = {}
    for candidates in ("kept", "batch"):
        # Of six answers those of two queries get a gradient, the others stand by kept vectors.
        changes = {"candidates": candidates, "batch_size": 2, "head.kind": "none", "train": "all", "max_steps": 1}
        changes |= {"distillation.of": of, "distillation.loss": "mse", "early_stopping.metric": ""}
        trained = finetune.finetune_rank(
            system.untrained(make_encoder()), topics, finetuning(changes), ENCODER, 7, other
        )
        found[candidates] = trained.history.steps["rank_distillation"].iloc[0]
    assert found["kept"] == pytest.approx(found["batch"], rel=1e-4)


def test_a_student_of_half_the_blocks_comes_nearer_to_its_teacher(paired, teacher, make_encoder, finetuning):
    student = make_encoder()
    layers.keep(student, 1)
    before = distance(student, teacher.system.encoder, paired)
    options = finetuning(BOTH | {"distillation.weight": 10.0, "objectives.rank.weight": 0.1})
    trained = finetune.finetune_rank(system.untrained(student), paired, options, ENCODER, 7, teacher)
    assert distance(trained.system.encoder, teacher.system.encoder, paired) < 0.5 * before
    assert trained.system.encoder.transformer.config.num_hidden_layers == 1


def test_the_teacher_is_not_trained_and_gives_each_text_of_a_ranking_batch_its_own_vector(
    topics, teacher, make_encoder, finetuning
):
    options = finetuning({"early_stopping.evaluations": 1, "epochs": 1, "learning_rate": 0.05})
    before = {name: tensor.clone() for name, tensor in teacher.system.state_dict().items()}
    steps = finetune.finetune_rank(system.untrained(make_encoder()), topics, options, ENCODER, 7, teacher).history.steps
    # An untrained residual head is the identity: every text starts at its own vector of the teacher.
    assert steps["rank_distillation"].iloc[0] == pytest.approx(0, abs=1e-6)
    assert steps["rank_distillation"].iloc[-1] > 1e-6
    assert all(torch.equal(tensor, before[name]) for name, tensor in teacher.system.state_dict().items())


def test_the_teacher_reads_each_text_with_its_own_prompt_of_that_side(paired, teacher, finetuning):
    encoder = teacher.system.encoder
    encoder.declared = Declared(prompts={"query": "my ", "document": "the "})
    read, tokenise = [], encoder.tokenise

    def noted(texts, limit, side=None):
        read.append((side, len(texts)))
        return tokenise(texts, limit, side)

    encoder.tokenise = noted
    distillation.vectors(teacher, teacher.system, paired, finetuning().distillation, ENCODER)
    answers, queries = len(paired.answers), len(paired.queries)
    pairs = len(paired.training_token_ids) - answers - queries
    assert pairs > 0 and read == [("document", answers), ("query", queries), (None, pairs), ("query", 0)]
    encoder.tokenise = tokenise
    viewed = with_views(paired, encoder, finetuning().objectives.views, 7)
    read.clear()
    encoder.tokenise = noted
    distillation.vectors(teacher, teacher.system, viewed, finetuning().distillation, ENCODER)
    assert read[3] == ("query", len(viewed.view_texts)) and read[3][1] > 0
