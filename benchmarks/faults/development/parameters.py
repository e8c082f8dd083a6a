"""Parameters that no healthy run has."""

from typing import Any

from benchmarks.faults.fault import Fault, Task

TRAINING = "finetune_rank."
ALL = {"finetune_rank.train": "last", "finetune_rank.last_layers": 1, "finetune_rank.head.kind": "none",
       "finetune_rank.epochs": 2}  # fmt: skip
TAXONOMY = "Humbatova et al. 2020, taxonomy of real faults: "


def fault(name: str, sentence: str, source: str, task: Task = "ranking", **settings: Any) -> Fault:
    """Settings of finetune_rank, with `__` for a dot."""
    own = {TRAINING + key.replace("__", "."): value for key, value in settings.items()}
    return Fault(name, "parameters", sentence, TAXONOMY + source, task, mendable=True, settings=own)


def of_prepare(name: str, sentence: str, source: str, **settings: Any) -> Fault:
    own = {"prepare." + key.replace("__", "."): value for key, value in settings.items()}
    return Fault(name, "parameters", sentence, source, mendable=True, settings=own)


FAULTS = (
    fault("rate-too-high", "the learning rate is hundreds of times too high", "learning rate", learning_rate=0.5),
    fault("rate-too-high-last-weights", "the learning rate is too high, and no dev metric keeps better weights",
          "learning rate", learning_rate=0.05, early_stopping__metric=""),
    fault("rate-too-low", "the learning rate is a thousand times too low", "learning rate", learning_rate=1.0e-7),
    fault("scale-saturates", "scores are multiplied by 2000: the softmax saturates", "practitioners 16: temperature",
          similarity__scale=2000.0, early_stopping__metric=""),
    fault("scale-flattens", "scores are multiplied by 0.05: the softmax is flat", "practitioners 16: temperature",
          similarity__scale=0.05),
    fault("batch-of-two", "a batch has two queries: one negative each", "batch size; practitioners 22", batch_size=2,
          max_steps=60),
    fault("one-step", "training has one step", "epochs", max_steps=1),
    fault("weight-decay-undoes", "weight decay pulls the weights to zero faster than they learn", "regularisation",
          weight_decay=300.0, early_stopping__metric=""),
    fault("clipped-to-nothing", "gradients are clipped to a norm of 1e-9", "gradient clipping", max_grad_norm=1.0e-9),
    fault("warm-up-longer-than-training", "the learning rate rises until the end", "practitioners 27",
          warmup_ratio=1.0, learning_rate=2.0e-5),
    fault("far-too-many-epochs", "200 epochs, and the last weights are kept: it has learnt the training set by heart",
          "epochs; practitioners 32", epochs=200, early_stopping__metric="", head__dropout=0.0, learning_rate=3.0e-3),
    fault("hard-negatives-without-margin", "hard negatives are mined without a margin, and most of them are right",
          "practitioners 4", hard_negatives__count=8, hard_negatives__margin=0.0, early_stopping__metric=""),
    fault("head-without-normalised-start", "a fresh MLP with BatchNorm stands on the encoder, and few rows train it",
          "architecture", head__kind="mlp", head__hidden=768, max_steps=30),
    fault("encoder-trained-at-head-rate", "the encoder's layer learns at the rate of a fresh head", "learning rate",
          **{key.removeprefix(TRAINING).replace(".", "__"): value for key, value in ALL.items()},
          encoder_learning_rate=1.0e-2, early_stopping__metric=""),
    fault("dot-without-scale", "dot products of vectors of any length are multiplied by 20", "practitioners 16",
          similarity__kind="dot", similarity__scale=20.0, learning_rate=1.0e-2, early_stopping__metric=""),
    of_prepare("answers-cut-to-eight-tokens", "the budget of answers is 8 tokens", "practitioners 42",
               tokens__answer=8),
    of_prepare("conversations-cut-to-ten-tokens", "the budget of conversations is 10 tokens", "practitioners 42",
               tokens__conversation=10),
    of_prepare("questions-cut-to-four-tokens", "the budget of questions is 4 tokens: two words", "practitioners 42",
               tokens__question=4),
    Fault("pooled-by-max", "parameters", "tokens are pooled by their maximum, not by the mean",
          "practitioners 10", mendable=True, settings={"encoder.pooling": "max"}),
    Fault("wrong-prompt", "parameters", "queries get a prompt that the encoder does not know", "practitioners 2",
          mendable=True, settings={"encoder.prompts": {
              "query": "Represent this sentence for retrieving the financial statements of a listed company: ",
              "document": ""}}),
    Fault("two-layers-kept", "parameters", "two of the six layers of the encoder are kept", TAXONOMY + "architecture",
          mendable=True, settings={"encoder.keep_layers": 1}),
)  # fmt: skip
