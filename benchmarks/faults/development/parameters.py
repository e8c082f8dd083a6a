"""Parameters that no healthy run has."""

from benchmarks.faults.fault import Fault

FAULTS = (
    Fault(
        "rate-too-high",
        "parameters",
        "the learning rate is hundreds of times too high",
        "Humbatova et al. 2020: wrong learning rate",
        mendable=True,
        settings={"finetune_rank.learning_rate": 0.5},
    ),
)
