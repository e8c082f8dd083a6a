"""Agreement with a teacher on the texts of every batch (Li and Hoiem 2016, arXiv:1606.09282).

The teacher's vectors are computed once; the term costs no pass of its own.

Shapes: N texts that training reads · R texts of a batch compared with C others · D features of student or teacher
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple, cast

import numpy as np
import torch

from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.objectives import Distillation as Options
from whyrank.core.prepared import Prepared
from whyrank.model import system
from whyrank.model.encoder import vector_cache
from whyrank.model.heads import heads
from whyrank.training.engine.auxiliary_losses import distillation_scores, distillation_vectors
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
    return Teacher(found, system.longest(folder) if is_ours else found.encoder.longest)


def terms(teacher_ND: torch.Tensor | None, options: params.FinetuneRank) -> dict[str, Term]:
    if teacher_ND is None:
        return {}
    term = Distillation(teacher_ND, options.distillation, options.similarity.scale)
    return {"distillation": Term(options.distillation.weight, term)}


def check(student: system.System, teacher: Teacher, options: Options) -> None:
    """Raise UserError where the options compare what cannot be compared."""
    other = heads.output_width(teacher.system.query_head, teacher.system.encoder.width)
    tasks = student.tasks.names if student.tasks else ()
    chains = [student.head_of(name) for name in tasks] or [student.query_head]
    widths = [heads.output_width(chain, student.encoder.width) for chain in chains]
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

    Tokenised by the teacher's own tokenizer, and cut where it cuts: its vocabulary may be another. Raises UserError
    where the student cannot be compared with it.
    """
    check(student, teacher, options)
    of, texts = teacher.system, prepared.texts.table["text"].tolist()[: len(prepared.training_token_ids)]
    rows = of.encoder.tokenise(texts, teacher.longest)
    answers = len(prepared.texts.of("answer"))
    encoded_ND = vector_cache.encoded(of.encoder, rows, encoder)
    with torch.no_grad():
        sides = [of.answer_head(encoded_ND[:answers]), of.query_head(encoded_ND[answers:])]
        return of.normalise(torch.cat(sides))


class Distillation:
    """The term of a step: its vectors, or their scores, beside the teacher's of the same texts."""

    def __init__(self, teacher_ND: torch.Tensor, options: Options, scale: float) -> None:
        """scale   what a score is multiplied by before `kl`, as the ranking does before its softmax"""
        self.teacher_ND, self.options, self.scale = teacher_ND, options, scale

    def __call__(self, step: Step) -> torch.Tensor:
        sizes = [len(side) for side in step.sides]
        place_N = torch.as_tensor(np.asarray(step.texts), device=self.teacher_ND.device)
        teacher = self.teacher_ND[place_N].split(sizes)
        if self.options.of == "vectors":
            kind = cast(Literal["cosine", "mse"], self.options.loss)
            return distillation_vectors(torch.cat(list(step.sides)), torch.cat(teacher), kind)
        student_RC, teacher_RC = scores(step.sides), scores(teacher)
        if self.options.loss == "kl":
            student_RC, teacher_RC = student_RC * self.scale, teacher_RC * self.scale
        return distillation_scores(
            student_RC, teacher_RC, cast(Literal["kl", "mse"], self.options.loss), temperature=self.options.temperature
        )


def scores(sides: Sequence[torch.Tensor]) -> torch.Tensor:
    """(R, C) of the first side with all others; of one side alone with itself."""
    first, *others = sides
    return first @ torch.cat(others or [first]).T
