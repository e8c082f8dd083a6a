"""Similarity and classification as tasks of fine-tuning."""

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from whyrank.core.errors import UserError
from whyrank.core.options.params import FinetuneRank
from whyrank.core.prepared import Prepared
from whyrank.measure.metrics import correlation
from whyrank.model.heads import heads
from whyrank.model.system import System
from whyrank.training.pairs import classification
from whyrank.training.pairs.classification import ClassificationObjective
from whyrank.training.pairs.similarity import SECTION, SimilarityObjective
from whyrank.training.ranking.layered_losses import check_dims
from whyrank.training.task import Given, Task
from whyrank.training.task_heads import check_single


def check(prepared: Prepared, system: System, options: FinetuneRank) -> None:
    width = system.width_of(SimilarityObjective.name)
    check_dims(options.objectives.similarity.matryoshka.dims, width, f"{SECTION}.matryoshka.dims")
    check_espresso(system, options, width)
    check_angle(options, width)


def check_espresso(system: System, options: FinetuneRank, width: int) -> None:
    espresso, key = options.objectives.similarity.espresso, f"{SECTION}.espresso"
    if not espresso.dims:
        return
    check_dims(espresso.dims, width - 1, f"{key}.dims")
    if not system.encoder.is_packed:
        raise UserError(
            f"params.yaml: `{key}` needs an encoder of the BERT family, not "
            f"{type(system.encoder.transformer).__name__}; set its `dims: []`"
        )
    layers = system.encoder.transformer.config.num_hidden_layers
    for number in espresso.layers if espresso.layers != "all" else ():
        if not 1 <= number <= layers:
            raise UserError(f"params.yaml: `{key}.layers` has {number}; this encoder has the layers 1 to {layers}")
    if any(isinstance(head, heads.MlpHead) for head in system.head_of(SimilarityObjective.name)):
        raise UserError(
            f"params.yaml: `{key}` does not go with an mlp head, whose BatchNorm would learn the statistics of every "
            "layer; use -S finetune_rank.head.kind=residual and finetune_rank.barlow_head=drop, or set its `dims: []`"
        )


def check_classification(prepared: Prepared, system: System, options: FinetuneRank) -> None:
    section = options.objectives.classification
    if section.batch_size == 1 and section.of == "query_type":
        head = system.head_of(ClassificationObjective.name)
        check_single(head, "finetune_rank.objectives.classification.batch_size")


def check_angle(options: FinetuneRank, width: int) -> None:
    """AnglE takes the halves of a vector for its real and its imaginary part."""
    similarity = options.objectives.similarity
    on = [name for name in ("angle", "angle_signed") if getattr(similarity, name).weight > 0]
    # With matryoshka the whole vector counts only where its width is among the cuts.
    if on and width % 2 and not similarity.matryoshka.dims:
        raise UserError(
            f"params.yaml: `{SECTION}.{on[0]}` halves a vector, and vectors have {width} features here; drop the "
            f"loss with -S {SECTION}.{on[0]}.weight=0, or take an even finetune_rank.head.output with head.kind=mlp"
        )


class SimilarityWatch:
    """Spearman's correlation of cosine and label, for each source of dev pairs and their mean."""

    def __init__(self, given: Given) -> None:
        pairs, self.system, self.vectors = given.prepared.pairs, given.system, given.vectors
        self.pairs = pairs[pairs["use"] == "dev"]

    def __call__(self) -> dict[str, float]:
        """`spearman_<source>` and `spearman_mean`; undefined ones (constant labels, say) are left out."""
        texts, back = np.unique(self.pairs[["first", "second"]].to_numpy(), return_inverse=True)
        vector_ND = self.system.features(SimilarityObjective.name, self.vectors.inference(texts))
        first_PD, second_PD = functional.normalize(vector_ND, dim=1)[torch.as_tensor(back.reshape(-1, 2))].unbind(1)
        cosine = pd.Series((first_PD * second_PD).sum(1).cpu().numpy(), self.pairs.index)
        found = {
            f"spearman_{source}": correlation.spearman(cosine[rows.index], rows["label"])
            for source, rows in self.pairs.groupby("source")
        }
        defined = {name: one.value for name, one in found.items() if one.value is not None}
        return defined | ({"spearman_mean": sum(defined.values()) / len(defined)} if defined else {})


SIMILARITY = Task(
    name=SimilarityObjective.name,
    objective=SimilarityObjective,
    rows=lambda prepared, options: int((prepared.pairs["use"] == "train").sum()),
    check=check,
    watch=lambda given, objective: watch if len((watch := SimilarityWatch(given)).pairs) else None,
)
CLASSIFICATION = Task(
    name=ClassificationObjective.name,
    objective=ClassificationObjective,
    rows=lambda prepared, options: len(classification.rows(prepared, options.objectives.classification.of)[0]),
    check=check_classification,
)
