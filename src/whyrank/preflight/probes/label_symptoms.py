"""What labels that do not fit their texts bring about: the symptoms of every finding about the labels of ranking."""

OF_TRAINING = (
    "underfitted",
    "overfitted",
    "tuning-brought-nothing",
    "loss-without-learning",
    "first-loss-off",
    "cannot-learn-by-heart",
    "trained-at-chance",
    "worse-than-zero-shot",
    "worse-than-lexical",
    "forgetting",
    "pretraining-hurts",
    "hub-answers",
    "gradient-conflict",
    "no-headroom",
    "conflicting-duplicates",
)
OF_CHANCE = ("lexical-at-chance", "encoder-at-chance", "below-chance")
