"""The health of the encoder as it will be used, on a few texts of the data and on its weights."""

import pandas as pd

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures.encoder import halves, layers, pieces, readings, repeats, sample, selections, specials


def tables(encoder: Encoder, prepared: Prepared, options: Options, otherwise: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """By file name in metrics/prepare: `encoder_layers`, pieces, repeats, halves, specials, readings, space and, of
    texts cut `otherwise`, selections."""
    drawn = sample.draw(prepared)
    found = {
        "encoder_layers": layers.table(encoder, drawn.rows(encoder)).assign(made_here=options.source == "scratch"),
        "encoder_pieces": pieces.table(encoder),
        "encoder_repeats": repeats.table(encoder, drawn, options),
        "encoder_halves": halves.table(encoder, prepared, options),
        "encoder_specials": specials.table(encoder, prepared),
        **readings.tables(encoder, prepared, options),
        "encoder_selections": selections.table(encoder, prepared, otherwise, options),
    }
    return {name: table for name, table in found.items() if len(table)}
