"""How many tokens each field of a row of texts keeps, and which ones.

Shapes: N rows · F fields · L tokens of one field
"""

from collections.abc import Sequence

import numpy as np


def allocate(length_NF: np.ndarray, budget_F: np.ndarray, *, adaptive: bool, total: int | None = None) -> np.ndarray:
    """Tokens that each field keeps, (N, F) int64.

    length_NF   tokens that the fields have, (N, F) int64;  budget_F   tokens meant for each, (F,) int64; 0: none of it
    Fixed: each field keeps up to its budget. Adaptive: what short fields leave over goes to the others, in proportion
    to their budgets (weighted max-min fairness: Bertsekas and Gallager 1992, section 6.5). Then no row keeps more than
    the sum of the budgets, no field keeps less than fixed budgets would leave it, and as long as a field with a budget
    is cut nothing is left over. Whole numbers throughout: what does not divide goes to the first of the cut fields.
    total   of an adaptive row, instead of the sum of the budgets
    """
    total = int(budget_F.sum()) if total is None else total
    fits_NF = np.where(budget_F > 0, length_NF, 0)
    if not adaptive:
        return np.minimum(fits_NF, budget_F)
    is_open_NF = np.broadcast_to(budget_F > 0, fits_NF.shape)
    # Taking a short field out never lowers the share of the others, so that as many rounds as fields are enough.
    for _ in budget_F:
        left_N1, parts_N1 = _left(fits_NF, budget_F, is_open_NF, total)
        is_open_NF = is_open_NF & (fits_NF * parts_N1 > left_N1 * budget_F)
    left_N1, parts_N1 = _left(fits_NF, budget_F, is_open_NF, total)
    kept_NF = np.where(is_open_NF, left_N1 * budget_F // np.maximum(parts_N1, 1), fits_NF)
    over_N1 = np.where(is_open_NF.any(axis=1, keepdims=True), total - kept_NF.sum(axis=1, keepdims=True), 0)
    return kept_NF + (is_open_NF & (np.cumsum(is_open_NF, axis=1) <= over_N1))


def _left(
    fits_NF: np.ndarray, budget_F: np.ndarray, is_open_NF: np.ndarray, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """Tokens that the open fields of each row share, and the sum of their budgets, both (N, 1)."""
    taken_N1 = np.where(is_open_NF, 0, fits_NF).sum(axis=1, keepdims=True)
    return total - taken_N1, np.where(is_open_NF, budget_F, 0).sum(axis=1, keepdims=True)


def allocate_texts(
    length_NF: np.ndarray, budget_F: np.ndarray, sides: Sequence[slice], room: int, *, adaptive: bool
) -> np.ndarray:
    """`allocate` for rows whose fields make up one text or two, none of which may have more than `room` tokens.

    What one of two texts has no room for goes to the other.

    sides   fields of each text; their budgets have a sum of at most `room`
    """
    kept_NF = allocate(length_NF, budget_F, adaptive=adaptive)
    rest = int(budget_F.sum()) - room
    for side in sides:
        (over_M,) = np.nonzero(kept_NF[:, side].sum(axis=1) > room)
        for fields, total in [(side, room), *((other, rest) for other in sides if other != side)]:
            kept_NF[over_M, fields] = allocate(length_NF[over_M, fields], budget_F[fields], adaptive=True, total=total)
    return kept_NF


def kept_tokens(length: int, kept: int, head_share: float) -> np.ndarray:
    """Places of the `kept` of `length` tokens, ascending: `head_share` of them the first, the rest the last ones."""
    if kept >= length:
        return np.arange(length)
    head = int(kept * head_share + 0.5)
    return np.concatenate([np.arange(head), np.arange(length - (kept - head), length)])
