"""Numbers and finite wording, the same on the page and in the terminal."""

import math
from collections.abc import Callable, Mapping

from whyrank.core.options.systems import Kind, Role
from whyrank.findings.systems import Systems

DIGITS = 3  # of a metric, as shown
MINUS = "\u2212"
NONE = "\u2013"
UNDEFINED = "undefined"
ROUNDING = 1e-12  # of sums of 64-bit numbers of about 1

# What a system is, by its role; tuned ones also by whether pretraining came before.
ROLES: dict[Role, str] = {
    "baseline": "lexical baseline",
    "zero-shot": "pretrained encoder (zero-shot)",
    "pretrained": "after Barlow Twins, not tuned",
    "tuned": "tuned",
    "rival": "rival",
}
# What a rival is, by its kind.
RIVALS: dict[Kind, str] = {
    "nearest-query": "most alike training query",
    "classifier": "logistic regression on vectors",
    "fusion": "fusion of rankings",
    "compressed": "compressed vectors",
    "served": "encoder in another format",
    "vectors": "vectors of another tool",
    "run": "run of another tool",
    "reranker": "cross-encoder over a ranking",
}
# The same where it rates texts.
RATED_ROLES: dict[Role, str] = {
    "baseline": "ridge on words",
    "zero-shot": "ridge on the frozen encoder",
    "pretrained": "ridge on the encoder after Barlow Twins",
    "tuned": "tuned",
    "rival": "rival",
}
AFTER_PRETRAINING = "after Barlow Twins, then tuned"


def roles(systems: Systems, words: Mapping[Role, str] = ROLES) -> dict[str, str]:
    """What each system is, in words."""
    return {
        name: AFTER_PRETRAINING if systems.is_after_pretraining(name) else RIVALS.get(system.kind, words[system.role])
        for name, system in systems.options.items()
    }


def value(number: float, digits: int = DIGITS) -> str:
    """Fixed decimals, so that a column lines up."""
    return f"{number:.{digits}f}".replace("-", MINUS) if math.isfinite(number) else NONE


def size(count: float) -> str:
    """Of memory, from a number of bytes: `48 B`, `1.5 KiB`."""
    return f"{count / 1024:.1f} KiB" if count >= 1024 else f"{count:.0f} B"


def signed(number: float, digits: int = DIGITS) -> str:
    """With its sign; a difference that rounds to nothing has none."""
    text = f"{number:+.{digits}f}".replace("-", MINUS)
    return f"{0:.{digits}f}" if float(f"{number:.{digits}f}") == 0 else text


def points(number: float) -> str:
    """A difference of a metric between 0 and 1, in hundredths."""
    return signed(100 * number, 1)


def interval(low: float, high: float, show: Callable[[float], str] = value) -> str:
    """`[−3.8, +2.6]`; empty where it is undefined."""
    return f"[{show(low)}, {show(high)}]" if math.isfinite(low) else ""


def defined(number: float, show: Callable[[float], str] = value) -> str:
    """Of a table where a missing number has its reason beside the table."""
    return show(number) if math.isfinite(number) else UNDEFINED


def p_value(p: float) -> str:
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def is_sure(p_holm: float, level: float) -> bool:
    """Whether a difference is significant after Holm's correction."""
    return bool(p_holm <= 1 - level + 1e-12)


def not_sure(p_holm: float) -> str:
    return f"not significant after correction (p = {p_value(p_holm)})"


def free(number: float | int) -> str:
    """A number of unknown kind: whole ones whole, others to 4 significant digits; what only rounding left is 0."""
    if isinstance(number, float) and not math.isfinite(number):
        return NONE
    number = 0 if abs(number) < ROUNDING else number
    text = f"{number:,.0f}" if float(number).is_integer() and abs(number) < 1e9 else f"{number:.4g}"
    return text.replace("-", MINUS)


def per_cent(share: float, digits: int | None = None) -> str:
    return f"{100 * share:g} %" if digits is None else f"{value(100 * share, digits)} %"


def ci(level: float) -> str:
    """Name of a confidence interval of this level."""
    return f"{per_cent(level)} CI"


def holm(level: float, family: str) -> str:
    """What Holm's p is; family   what it corrects for the comparisons of"""
    return f"Holm's p corrects for all comparisons of the {family}; marked where it is at most {1 - level:.2g}."
