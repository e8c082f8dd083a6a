"""The ranking objective: a query's own answer must score above the other candidates.

Shapes: B queries of a batch · C candidate answers · D features
"""

import math
import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from whyrank.batches.ranking import RankBatch, RankBatches
from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.model.system import System
from whyrank.training.engine.objective import Step
from whyrank.training.engine.vectors import Vectors
from whyrank.training.ranking import hard_negatives
from whyrank.training.ranking.layered_losses import matryoshka
from whyrank.training.ranking.losses import RankingTerms, ranking_of_products
from whyrank.training.task import TaskObjective

# A learnt inverse temperature beyond this only sharpens a softmax that is already a maximum (CLIP's bound).
LARGEST_SCALE = 100.0


class RankObjective(TaskObjective):
    """Softmax over all answers of the corpus, or over the answers of the batch. Its own weight is the score's scale."""

    name = "rank"
    batches: RankBatches

    def __init__(
        self, prepared: Prepared, system: System, vectors: Vectors, params: FinetuneRank, random: np.random.Generator
    ) -> None:
        if params.candidates == "all" and len(prepared.answers) > params.max_candidates:
            raise UserError(
                f"finetune_rank: {len(prepared.answers)} answers are more than finetune_rank.max_candidates="
                f"{params.max_candidates}; use -S finetune_rank.candidates=batch"
            )
        batches = RankBatches(
            prepared,
            candidates=params.candidates,
            mask_same_answer=params.same_answer == "masked",
            size=params.batch_size,
            random=random,
        )
        super().__init__(system, vectors, params.objectives.rank, batches)
        self.matryoshka = params.objectives.rank.matryoshka
        self.first_query = len(prepared.answers)
        self.log_scale = nn.Parameter(torch.tensor(math.log(params.similarity.scale)))
        self.log_scale.requires_grad_(params.similarity.learn_scale)
        self.weights = nn.ParameterDict({"log_scale": self.log_scale})
        self.hard_negatives = params.hard_negatives
        epoch = len(self.batches.query_P) / min(params.batch_size, len(self.batches.query_P))
        self.refresh = round(params.hard_negatives.refresh * epoch) or sys.maxsize
        self.drawn = 0

    def compute(self) -> Step:
        if self.hard_negatives.count and self.drawn % self.refresh == 0:
            self.batches.use(self.mined())
        self.drawn += 1
        batch = next(self.batches)
        texts = np.concatenate([self.first_query + batch.query_B, batch.candidate_C])
        vectors = self.encoded(texts)
        query_BD, answer_CD = self.system.project(*vectors.split([len(batch.query_B), len(batch.candidate_C)]))
        scale = self.log_scale.exp().clamp(max=LARGEST_SCALE)
        targets = [torch.as_tensor(part, device=query_BD.device) for part in (batch.target_B, batch.ignored_BC)]
        terms = ranking_of_products(query_BD, answer_CD, scale, *targets)
        record, loss = self._record(batch, terms, scale, query_BD.detach()), terms.loss
        if self.matryoshka.dims:
            loss = self.over_cuts(query_BD, answer_CD, scale, *targets)
            record["rank_matryoshka_loss"] = loss.item()
        return Step(loss, record | self.vectors.cost(texts), texts.tolist(), (query_BD, answer_CD))

    def over_cuts(
        self,
        query_BD: torch.Tensor,
        answer_CD: torch.Tensor,
        scale: torch.Tensor,
        target_B: torch.Tensor,
        ignored_BC: torch.Tensor,
    ) -> torch.Tensor:
        """The loss of scores between cut vectors, brought to unit length anew where the score is the cosine."""

        def of_cut(query_BK: torch.Tensor, answer_CK: torch.Tensor) -> torch.Tensor:
            return ranking_of_products(
                self.system.normalise(query_BK), self.system.normalise(answer_CK), scale, target_B, ignored_BC
            ).loss

        return matryoshka(of_cut, self.matryoshka.dims, self.matryoshka.weights)(query_BD, answer_CD)

    def skip(self, batches: int) -> None:
        self.drawn += batches
        self.batches.skip(batches)

    def state_dict(self) -> dict[str, Any]:
        return {"negatives": torch.as_tensor(self.batches.negative_PN)} if self.hard_negatives.count else {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if "negatives" in state:
            self.batches.use(state["negatives"].numpy())

    def mined(self) -> np.ndarray:
        """(P, N) hard negatives of the training pairs, by the system as it is now."""
        system = self.system
        modes = {module: module.training for module in system.modules()}
        system.eval()
        train_Q = np.unique(self.batches.query_P)
        with torch.no_grad():
            query_QD, answer_AD = system.project(
                self.vectors.inference(self.first_query + train_Q), self.vectors.inference(np.arange(self.first_query))
            )
        for module, mode in modes.items():
            module.training = mode
        return hard_negatives.mine(
            query_QD,
            answer_AD,
            np.searchsorted(train_Q, self.batches.query_P),
            self.batches.answer_P,
            self.batches.relevant_QA[train_Q],
            count=self.hard_negatives.count,
            margin=self.hard_negatives.margin,
            text_A=self.batches.text_A,
        )

    @staticmethod
    def _record(batch: RankBatch, terms: RankingTerms, scale: torch.Tensor, query_BD: torch.Tensor) -> dict[str, float]:
        return {
            "rank_loss": terms.loss.item(),
            "rank_chance": math.log(len(batch.candidate_C)),
            "rows": len(batch.query_B),
            "candidates": len(batch.candidate_C),
            "distinct_answers": batch.distinct_answers,
            "false_negatives_per_row": float(batch.false_BC.sum(1).mean()),
            "rows_with_false_negatives": float(batch.false_BC.any(1).mean()),
            "scale": scale.item(),
            "logit_std": terms.logit_std,
            "query_norm": query_BD.norm(dim=1).mean().item(),
        }
