"""The texts that views make, as a training reads them."""

import numpy as np
import pandas as pd

from whyrank.batches import made_texts
from whyrank.core.options.barlow import Views
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder


def with_views(prepared: Prepared, encoder: Encoder, options: Views, seed: int) -> Prepared:
    """The set with the texts that views make, tokenised as queries are; beside them those that no batch gets."""
    random = np.random.default_rng([seed, len(options.views)])
    made = made_texts.made(prepared, options.views, options.texts, random)
    made = pd.concat([made, made_texts.held_out(prepared, options.texts, random)], ignore_index=True)
    longest = max(map(len, prepared.token_ids))
    made["input_ids"] = pd.Series(encoder.tokenise(made["text"].tolist(), longest, "query"), dtype=object)
    return made_texts.with_made(prepared, made)
