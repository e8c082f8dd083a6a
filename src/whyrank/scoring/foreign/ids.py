"""The ids of a foreign file against ours."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from whyrank.core.errors import UserError


def places(file: str, what: str, found: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """The row of each wanted id in a file that has each id once; rows that nobody wants do no harm.

    what   `query` or `answer`. Raises UserError, naming the file and an id, for one that is twice there or missing.
    """
    index = pd.Index(found)
    if index.has_duplicates:
        twice = index[index.duplicated()][0]
        raise UserError(f"{file}: {what} id {twice!r} stands there twice; keep one row of each id")
    place = index.get_indexer(pd.Index(wanted))
    if (missing := np.flatnonzero(place < 0)).size:
        more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        raise UserError(
            f"{file}: no row for {what} id {wanted[missing[0]]!r}{more}; add each {what} of data/prepared, of any split"
        )
    return np.asarray(place)
