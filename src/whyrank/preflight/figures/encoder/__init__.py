"""The health of the encoder as it will be used, on a few texts of the data and on its weights."""

from collections.abc import Callable
from functools import partial

import pandas as pd

from whyrank.core.options.params import Encoder as Options
from whyrank.core.prepared import Prepared
from whyrank.model.encoder.encoder import Encoder
from whyrank.preflight.figures.encoder import halves, layers, pieces, readings, repeats, sample, selections, specials


def parts(
    encoder: Encoder, prepared: Prepared, options: Options, otherwise: pd.DataFrame
) -> list[Callable[[], dict[str, pd.DataFrame]]]:
    """Make, one after another, by file name in metrics/prepare: `encoder_layers`, pieces, repeats, halves, specials,
    readings, space and, of texts cut `otherwise`, selections. Tables without a row are left out.
    """
    drawn = sample.draw(prepared)
    made: list[Callable[[], dict[str, pd.DataFrame]]] = [
        lambda: {
            "encoder_layers": layers.table(encoder, drawn.rows(encoder)).assign(made_here=options.source == "scratch")
        },
        lambda: {"encoder_pieces": pieces.table(encoder)},
        lambda: {"encoder_repeats": repeats.table(encoder, drawn, options)},
        lambda: {"encoder_halves": halves.table(encoder, prepared, options)},
        lambda: {"encoder_specials": specials.table(encoder, prepared)},
        lambda: readings.tables(encoder, prepared, options),
        lambda: {"encoder_selections": selections.table(encoder, prepared, otherwise, options)},
    ]
    return [partial(_filled, one) for one in made]


def _filled(make: Callable[[], dict[str, pd.DataFrame]]) -> dict[str, pd.DataFrame]:
    return {name: table for name, table in make().items() if len(table)}
