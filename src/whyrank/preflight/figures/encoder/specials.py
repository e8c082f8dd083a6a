"""Whether the texts stand between the special tokens that an encoder of their kind was trained with."""

import numpy as np
import pandas as pd

from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder

# Trained with a token before and one behind each text.
FRAMED = {
    *("bert", "roberta", "xlm-roberta", "camembert", "mpnet", "distilbert", "electra", "deberta", "deberta-v2"),
    *("albert", "modernbert", "nomic_bert", "new"),
}


def table(encoder: Encoder, prepared: Prepared) -> pd.DataFrame:
    """One row per kind of text; empty for an encoder without such tokens.

    texts                     of that kind
    begins, ends              share that has the first token at its start, the other at its end
    doubled                   share that has the first token twice at its start
    first, last, pooling      the two tokens, and the pooling in use
    """
    tokenizer = encoder.tokenizer
    first, last = tokenizer.cls_token_id, tokenizer.sep_token_id
    if encoder.transformer.config.model_type not in FRAMED or first is None or last is None:
        return pd.DataFrame()
    found = []
    for kind, part in prepared.texts.table.groupby("kind", sort=False):
        ids = [np.asarray(row) for row in part["input_ids"] if len(row)]
        if ids:
            shares = {
                "begins": np.mean([row[0] == first for row in ids]),
                "ends": np.mean([row[-1] == last for row in ids]),
                "doubled": np.mean([len(row) > 1 and row[0] == row[1] == first for row in ids]),
            }
            found.append({"kind": kind, "texts": len(ids), **shares})
    return pd.DataFrame(found).assign(first=tokenizer.cls_token, last=tokenizer.sep_token, pooling=encoder.pooling)
