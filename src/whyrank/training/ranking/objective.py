"""The ranking objective: a query's own answer must score above the other candidates.

Shapes: B queries of a batch · C candidate answers · D features
"""

import math
import sys
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from whyrank.batches.ranking import RankBatch, RankBatches
from whyrank.core.errors import UserError
from whyrank.model.encoder.modes import evaluating
from whyrank.training.engine.objective import Step
from whyrank.training.loss_table import LossTable
from whyrank.training.ranking import hard_negatives, judged, losses, reranked
from whyrank.training.ranking.coverage import Coverage
from whyrank.training.ranking.layered_losses import matryoshka
from whyrank.training.task import Given, TaskObjective

# A learnt inverse temperature beyond this only sharpens a softmax that is already a maximum (CLIP's bound).
LARGEST_SCALE = 100.0


class RankObjective(TaskObjective):
    """Softmax over all answers of the corpus, or over the answers of the batch. Its own weight is the score's scale.

    With `candidates: kept` only the answers of the batch are encoded; the others stand by vectors that are kept from
    one refresh to the next, and get no gradient (a memory bank: Wu et al. 2018, arXiv:1805.01978).
    """

    name = "rank"
    batches: RankBatches

    def __init__(self, given: Given) -> None:
        prepared, params = given.prepared, given.options
        if params.candidates == "all" and len(prepared.answers) > params.max_candidates:
            raise UserError(
                f"finetune_rank: {len(prepared.answers)} answers are more than finetune_rank.max_candidates="
                f"{params.max_candidates}; use -S finetune_rank.candidates=batch"
            )
        super().__init__(given, params.objectives.rank, RankBatches(prepared, params, given.random))
        self.losses = LossTable(losses, params.objectives.rank)
        self.matryoshka = params.objectives.rank.matryoshka
        self.query_text_Q, self.answer_text_A = prepared.texts.of("query"), prepared.texts.of("answer")
        self.masks_right_answers = params.same_answer == "masked"
        self.coverage = Coverage(prepared)
        self.log_scale = nn.Parameter(torch.tensor(math.log(params.similarity.scale)))
        self.log_scale.requires_grad_(params.similarity.learn_scale)
        self.weights = nn.ParameterDict({"log_scale": self.log_scale})
        self.hard_negatives = params.hard_negatives
        epoch = len(self.batches.query_P) / min(params.batch_size, len(self.batches.query_P))
        # Batches of one step find the same weights.
        least, refresh = params.gradient_accumulation_steps, params.hard_negatives.refresh
        self.refresh = max(least, round(refresh * epoch)) if refresh > 0 else sys.maxsize
        self.keeps = params.candidates == "kept"
        self.keep_for = max(least, round(params.refresh_kept * epoch))
        self.kept_AD = torch.empty(0)
        self.drawn = 0
        self.near: dict[str, float] = {}  # figures of the negatives that were mined last
        self.prepared, self.reranker, self.reranking = prepared, given.reranker, params.reranker
        self.taught: reranked.Taught | None = None
        if given.reranker is not None and params.reranker.weight > 0:
            wrong_PN = self.mining()[0](count=params.reranker.depth, margin=None)
            self.taught = reranked.Taught(self.listed(wrong_PN), params.reranker)

    def compute(self) -> Step:
        if self.hard_negatives.count and self.drawn % self.refresh == 0:
            self.batches.use(self.mined())
        if self.keeps and self.drawn % self.keep_for == 0:
            self.kept_AD = self.as_it_is(self.query_text_Q[:1])[1]
        self.drawn += 1
        batch = next(self.batches)
        live_L = np.unique(batch.target_B) if self.keeps else batch.candidate_C
        taught_U = self.taught.answers(batch.pair_B) if self.taught else live_L[:0]
        texts = np.concatenate([self.query_text_Q[batch.query_B], self.answer_text_A[np.append(live_L, taught_U)]])
        query_BD, answer_CD = self.system.project(*self.encoded(texts).tensor_split([len(batch.query_B)]))
        answer_CD, taught_UD = answer_CD.tensor_split([len(live_L)])
        # Kept vectors get no gradient: they are no side, and in a term of each text would only thin out the others.
        sides = (query_BD, answer_CD)
        if self.keeps:
            answer_CD = self.kept_AD.index_copy(0, torch.as_tensor(live_L, device=answer_CD.device), answer_CD)
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        columns = {
            "scale": scale,
            "target_B": torch.as_tensor(batch.target_B, device=query_BD.device),
            "ignored_BC": torch.as_tensor(batch.ignored_BC, device=query_BD.device),
        }
        found = self.losses.all(columns | {"query_BD": query_BD, "answer_CD": answer_CD})
        loss = self.losses.total(found)
        # A loss alone is recorded without its weight, in the unit of what it is compared with: nats.
        own = loss if len(found) > 1 else next(iter(found.values()))
        record = self._record(batch, own, scale, query_BD.detach(), answer_CD.detach())
        if len(found) > 1:
            record |= {f"rank_{name}_loss": one.item() for name, one in found.items()}
        if list(found) != ["cross_entropy"]:
            record.pop("rank_expected_loss")
        if self.matryoshka.dims:

            def of_cuts(*cut: torch.Tensor) -> torch.Tensor:
                # Of unit length again, where the score is the cosine.
                sides = zip(("query_BD", "answer_CD"), map(self.system.normalise, cut), strict=True)
                return self.losses.total(self.losses.all(columns | dict(sides)))

            loss = matryoshka(of_cuts, self.matryoshka.dims, self.matryoshka.weights)(query_BD, answer_CD)
            record["rank_matryoshka_loss"] = loss.item()
        if self.taught:
            term = self.taught.loss(batch.pair_B, query_BD, taught_UD, scale)
            loss = loss + self.reranking.weight * term
            record |= {"rank_reranker_loss": term.item()} | self.taught.figures
        compared = texts[: len(texts) - len(taught_U)].tolist()
        return Step(loss, record | self.vectors.cost(texts), compared, sides)

    def skip(self, batches: int) -> None:
        self.drawn += batches
        self.batches.skip(batches)

    def state_dict(self) -> dict[str, Any]:
        mined = {"negatives": torch.as_tensor(self.batches.negative_PN)} if self.hard_negatives.count else {}
        kept = {"kept": self.kept_AD} if self.keeps else {}
        return mined | kept | {"near": self.near, "seen": torch.as_tensor(self.coverage.is_seen_T)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.near, self.coverage.is_seen_T = state["near"], state["seen"].numpy()
        if self.keeps:
            self.kept_AD = state["kept"].to(self.system.encoder.device)
        if "negatives" in state:
            self.batches.use(state["negatives"].numpy())

    @torch.no_grad()
    def as_it_is(self, query_text_Q: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        """Vectors of some queries and of all answers by the system as it is now, without dropout."""
        with evaluating(self.system):
            vectors = self.vectors.inference(query_text_Q), self.vectors.inference(self.answer_text_A)
            return self.system.project(*vectors)

    def mined(self) -> np.ndarray:
        """(P, N) hard negatives of the training pairs, by the system as it is now."""
        (mine, near), count, margin = self.mining(), self.hard_negatives.count, self.hard_negatives.margin
        left_out = {}
        if self.reranker is not None and self.reranking.filter_negatives:
            found = self.listed(mine(count=max(count, self.reranking.depth), margin=margin))
            negative_PN, left_out["negatives_left_out"] = reranked.without_right(found, self.reranking.margin, count)
        else:
            negative_PN = mine(count=count, margin=margin)
        self.near = near(negative_PN=negative_PN) | left_out
        return negative_PN

    def mining(self) -> tuple[partial[np.ndarray], partial[dict[str, float]]]:
        """`hard_negatives.mine` and `.near` of the training pairs, by vectors of the system as it is now."""
        train_Q = np.unique(self.batches.query_P)
        row_P = np.searchsorted(train_Q, self.batches.query_P)
        given = (*self.as_it_is(self.query_text_Q[train_Q]), row_P, self.batches.answer_P)
        relevant_QA, right_QA = self.batches.relevant_QA[train_Q], self.coverage.right_QA[train_Q]
        mine = partial(hard_negatives.mine, *given, relevant_QA, text_A=self.batches.text_A)
        return mine, partial(hard_negatives.near, *given, relevant_QA=right_QA)

    def listed(self, wrong_PN: np.ndarray) -> reranked.Lists:
        """What the cross-encoder says of the right answer of each training pair and of these wrong ones."""
        return reranked.lists(self.reranker, self.prepared, self.batches.query_P, self.batches.answer_P, wrong_PN)

    def _record(
        self, batch: RankBatch, loss: torch.Tensor, scale: torch.Tensor, query_BD: torch.Tensor, answer_CD: torch.Tensor
    ) -> dict[str, float]:
        right_BC = self.coverage.right(batch.query_B, batch.candidate_C)
        by_judgements = judged.judged(right_BC, batch.target_B, mask=self.masks_right_answers)
        return {
            "rank_loss": loss.item(),
            "rank_chance": math.log(len(batch.candidate_C)),
            **judged.figures(query_BD, answer_CD, scale.detach(), by_judgements),
            "targets_right": float((by_judgements.own_B == batch.target_B).mean()),
            **self.coverage.of_batch(batch.query_B),
            **self.near,
            "rows": len(batch.query_B),
            "candidates": len(batch.candidate_C),
            "distinct_answers": batch.distinct_answers,
            "false_negatives_per_row": float(batch.false_BC.sum(1).mean()),
            "rows_with_false_negatives": float(batch.false_BC.any(1).mean()),
            "scale": scale.item(),
            "logit_std": losses.logit_std(query_BD, answer_CD, scale.detach()),
            "query_norm": query_BD.norm(dim=1).mean().item(),
        }
