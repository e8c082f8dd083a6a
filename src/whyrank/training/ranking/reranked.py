"""What a cross-encoder says of the answers of training pairs: lists that ranking learns to score as it does, and mined
negatives that it takes for right ones.

Shapes: P pairs of a query and a right answer · N wrong answers listed for a pair · L = 1 + N answers listed, the pair's
own first · B pairs of a batch · U different answers of their lists · D features
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch

from whyrank.core import processes
from whyrank.core.errors import UserError
from whyrank.core.options.objectives import Reranker as Options
from whyrank.core.prepared import Prepared
from whyrank.model import cross_encoder
from whyrank.training.ranking import teacher_losses

KEY = "finetune_rank.reranker"


def load(options: Options, *, trust_remote_code: bool) -> Any | None:
    """The cross-encoder that the options use; None where they use none. Raises UserError where it cannot be loaded."""
    if not options.is_used:
        return None
    try:
        return cross_encoder.load(options.model, trust_remote_code=trust_remote_code)
    except UserError as error:
        raise UserError(f"params.yaml: `{KEY}.model`: {error}") from error


class Lists(NamedTuple):
    answer_PL: np.ndarray  # rows of answers, the pair's own first; -1 where a list is shorter
    score_PL: np.ndarray  # float32 scores of the cross-encoder; -inf where there is no answer

    @property
    def is_listed_PL(self) -> np.ndarray:
        found: np.ndarray = self.answer_PL >= 0
        return found

    @property
    def is_above_PN(self) -> np.ndarray:
        """Listed, not right by the judgements, and scored at or above the pair's own answer."""
        return self.is_above(0.0)

    def is_above(self, margin: float) -> np.ndarray:
        """`is_above_PN`, from `margin` below the score of the pair's own answer."""
        found: np.ndarray = self.is_listed_PL[:, 1:] & (self.score_PL[:, 1:] >= self.score_PL[:, :1] - margin)
        return found


def lists(model: Any, prepared: Prepared, query_P: np.ndarray, answer_P: np.ndarray, wrong_PN: np.ndarray) -> Lists:
    """Score each pair's own answer and its wrong ones; of several processes each scores a part.

    wrong_PN   (P, N) rows of answers, -1 for none
    """
    query, answer = (table["text"].to_numpy() for table in (prepared.queries, prepared.answers))
    answer_PL = np.column_stack([answer_P, wrong_PN])
    row_Z, column_Z = np.nonzero(answer_PL >= 0)
    pairs = [(query[query_P[row]], answer[answer_PL[row, column]]) for row, column in zip(row_Z, column_Z, strict=True)]
    own = slice(processes.number(), None, processes.count())
    score_Z = torch.zeros(len(pairs))
    if pairs[own]:
        score_Z[own] = torch.as_tensor(cross_encoder.predicted(model, pairs[own]))
    processes.add_up(score_Z)
    score_PL = np.full(answer_PL.shape, -np.inf, dtype=np.float32)
    score_PL[row_Z, column_Z] = score_Z.numpy()
    return Lists(answer_PL, score_PL)


def without_right(found: Lists, margin: float, count: int) -> tuple[np.ndarray, float]:
    """The first `count` wrong answers of each list that the cross-encoder scores clearly below the pair's own.

    Returns (P, count) rows of answers, -1 where fewer remain, and the share of the listed that were left out.
    """
    wrong_PN, is_above_PN = found.answer_PL[:, 1:], found.is_above(margin)
    kept_PN = np.where(is_above_PN, -1, wrong_PN)
    order_PN = np.argsort(kept_PN < 0, axis=1, kind="stable")
    return np.take_along_axis(kept_PN, order_PN, axis=1)[:, :count], share(is_above_PN, wrong_PN >= 0)


def share(is_one: np.ndarray, is_there: np.ndarray) -> float:
    return float(is_one.sum() / max(1, is_there.sum()))


@dataclass(frozen=True)
class Taught:
    """The lists of all training pairs, made once before training."""

    lists: Lists
    options: Options

    @cached_property
    def figures(self) -> dict[str, float]:
        """Columns of the history.

        reranker_first   share of the training pairs whose own answer the cross-encoder scores above all others listed
        reranker_above   share of the listed answers without a judgement that it scores at or above the right one:
                         labels that are missing, or a teacher that is wrong
        """
        is_above_PN = self.lists.is_above_PN
        return {
            "reranker_first": float((~is_above_PN.any(axis=1)).mean()),
            "reranker_above": share(is_above_PN, self.lists.is_listed_PL[:, 1:]),
        }

    def answers(self, pair_B: np.ndarray) -> np.ndarray:
        """(U,) rows of the answers of their lists, each once, in order."""
        found = np.unique(self.lists.answer_PL[pair_B])
        return found[found >= 0]

    def loss(
        self, pair_B: np.ndarray, query_BD: torch.Tensor, answer_UD: torch.Tensor, scale: torch.Tensor
    ) -> torch.Tensor:
        """The term of a batch.

        answer_UD   vectors of `answers(pair_B)`
        scale       what a product of two vectors is multiplied by, as in the ranking softmax
        """
        answer_BL = self.lists.answer_PL[pair_B]
        # Of a shorter list the first vector stands in, and is left out.
        column_BL = np.searchsorted(self.answers(pair_B), np.where(answer_BL >= 0, answer_BL, answer_BL[:, :1]))
        student_BL = scale * torch.einsum("bd,bld->bl", query_BD, answer_UD[torch.as_tensor(column_BL)])
        teacher_BL, is_listed_BL = (
            torch.as_tensor(found[pair_B], device=student_BL.device)
            for found in (self.lists.score_PL, self.lists.is_listed_PL)
        )
        if self.options.loss == "kl":
            return teacher_losses.kl(student_BL, teacher_BL, is_listed_BL, temperature=self.options.temperature)
        return teacher_losses.margin_mse(student_BL, teacher_BL.masked_fill(~is_listed_BL, 0.0), is_listed_BL)
