"""Agreement with a teacher on the texts of every batch (Li and Hoiem 2016, arXiv:1606.09282).

The teacher's vectors are computed once; the term costs no pass of its own.

Shapes: N texts that training reads · B texts of a batch · R of them compared with C others · D features of student or
        teacher
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch.nn import functional

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.objectives import Distillation as Options
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.model.heads.task_heads import RANK
from whyrank.training.engine.objective import Step, Term

KEY = "finetune_rank.distillation"


class Teacher(NamedTuple):
    system: system.System
    longest: int  # tokens after which it cuts a text


def load(options: Options, *, trust_remote_code: bool = False) -> Teacher | None:
    """The teacher that the options name; None where distillation is off. Raises UserError where there is none."""
    if options.weight <= 0:
        return None
    folder = Path(options.teacher)
    if not (folder / "config.json").exists():
        raise UserError(
            f"params.yaml: `{KEY}.teacher` is {options.teacher!r}, no folder of a system or an encoder; "
            f"use -S {KEY}.teacher=models/base"
        )
    found = system.load_any(folder, trust_remote_code=trust_remote_code)
    is_ours = (folder / system.DESCRIPTION).exists()
    own = found.encoder
    return Teacher(found, system.longest(folder) if is_ours else min(own.declared.longest or own.longest, own.longest))


def terms(teacher_ND: torch.Tensor | None, options: params.FinetuneRank) -> dict[str, Term]:
    if teacher_ND is None:
        return {}
    term = partial(distil, teacher_ND, options.distillation, options.similarity.scale)
    return {"distillation": Term(options.distillation.weight, term)}


def check(student: system.System, teacher: Teacher, options: Options) -> None:
    """Raise UserError where the options compare what cannot be compared."""
    other = teacher.system.width_of(RANK)
    widths = [student.width_of(name) for name in (student.tasks.names if student.tasks else [RANK])]
    others = [width for width in widths if width != other]
    if options.of == "vectors" and others:
        raise UserError(
            f"params.yaml: `{KEY}.of` is vectors, and the student's have {others[0]} features, the teacher's {other}; "
            f"use -S {KEY}.of=scores -S {KEY}.loss=kl"
        )
    if options.of == "scores" and student.score != teacher.system.score:
        raise UserError(
            f"params.yaml: `{KEY}.of` is scores, and the student scores by {student.score}, the teacher by "
            f"{teacher.system.score}; use -S finetune_rank.similarity.kind={teacher.system.score}, or of=vectors"
        )


def vectors(
    teacher: Teacher, student: system.System, prepared: Prepared, options: Options, encoder: params.Encoder
) -> torch.Tensor:
    """(N, D) float32 of every text that training reads, answers as answers and the others as queries.

    Tokenised by the teacher's own tokenizer with its prompts, and cut where it cuts: its vocabulary may be another.
    What views make of texts gets the prompt of queries, as the student's does.
    Raises UserError where the student cannot be compared with it.
    """
    check(student, teacher, options)
    of, texts = teacher.system, prepared.texts.table["text"].tolist()[: len(prepared.training_token_ids)]
    answers, queries = len(prepared.texts.of("answer")), len(prepared.texts.of("query"))
    ranking, views = answers + queries, len(prepared.view_texts)
    rows = [
        *of.encoder.tokenise(texts[:answers], teacher.longest, "document"),
        *of.encoder.tokenise(texts[answers:ranking], teacher.longest, "query"),
        *of.encoder.tokenise(texts[ranking : len(texts) - views], teacher.longest),
        *of.encoder.tokenise(texts[len(texts) - views :], teacher.longest, "query"),
    ]
    encoded_ND = vector_cache.encoded(of.encoder, rows, encoder)
    with torch.no_grad():
        sides = [of.answers(encoded_ND[:answers]), of.queries(encoded_ND[answers:])]
        return of.normalise(torch.cat(sides))


def distil(teacher_ND: torch.Tensor, options: Options, scale: float, step: Step) -> torch.Tensor:
    """The term of a step: its vectors, or their scores, beside the teacher's of the same texts.

    scale   what a score is multiplied by before `kl`, as the ranking does before its softmax
    """
    place_N = torch.as_tensor(np.asarray(step.texts), device=teacher_ND.device)
    teacher = teacher_ND[place_N].split([len(side) for side in step.sides])
    kind: Any = options.loss
    if options.of == "vectors":
        return distillation_vectors(torch.cat(list(step.sides)), torch.cat(teacher), kind)
    factor = scale if kind == "kl" else 1.0
    student_RC, teacher_RC = (scores(sides) * factor for sides in (step.sides, teacher))
    return distillation_scores(student_RC, teacher_RC, kind, temperature=options.temperature)


def scores(sides: Sequence[torch.Tensor]) -> torch.Tensor:
    """(R, C) of the first side with all others; of one side alone with itself."""
    first, *others = sides
    return first @ torch.cat(others or [first]).T


def distillation_vectors(
    student_BD: torch.Tensor, teacher_BD: torch.Tensor, kind: Literal["cosine", "mse"]
) -> torch.Tensor:
    """Draw each vector to the teacher's vector of the same text.

        cosine: L = mean_i (1 - cos(student_i, teacher_i))
        mse:    L = mean_{i, d} (student_id - teacher_id)^2

    student_BD, teacher_BD   (B, D) float32; no gradient reaches the teacher
    Returns a scalar. Chance, unrelated directions: 1 for cosine; the two mean squares together for mse. Perfect: 0.
    mse: Reimers and Gurevych 2020, arXiv:2004.09813. cosine leaves the lengths free.
    """
    teacher_BD = teacher_BD.detach()
    if kind == "cosine":
        return (1 - functional.cosine_similarity(student_BD, teacher_BD)).mean()
    return functional.mse_loss(student_BD, teacher_BD)


def distillation_scores(
    student_RC: torch.Tensor, teacher_RC: torch.Tensor, kind: Literal["kl", "mse"], *, temperature: float
) -> torch.Tensor:
    """Make the student score as the teacher does; their vectors may differ in width.

        kl:  L = t^2 * mean_i KL(softmax(teacher_i / t) || softmax(student_i / t))
        mse: L = mean_{i, c} (student_ic - teacher_ic)^2      the same under t^2 and 1 / t, so t has no part in it

    student_RC, teacher_RC   (R, C) float32, scores of row i with C candidates; no gradient reaches the teacher
    t^2 keeps the gradient of kl as large as without a temperature. kl leaves a shift of a row's scores free.
    Returns nats for kl. An even student: log C less the teacher's entropy, times t^2. Perfect: 0.
    kl: Hinton et al. 2015, arXiv:1503.02531.
    """
    teacher_RC = teacher_RC.detach()
    if kind == "mse":
        return functional.mse_loss(student_RC, teacher_RC)
    log_student_RC = (student_RC / temperature).log_softmax(1)
    log_teacher_RC = (teacher_RC / temperature).log_softmax(1)
    return temperature**2 * functional.kl_div(log_student_RC, log_teacher_RC, reduction="batchmean", log_target=True)
