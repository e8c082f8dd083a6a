"""Numbers and finite wording, the same on the page and in the terminal."""

import math
from collections.abc import Mapping

from whyrank.core.options.systems import Role
from whyrank.findings.systems import Systems

DIGITS = 3  # of a metric, as shown
MINUS = "\u2212"
NONE = "\u2013"
HOLM = "p flips the signs of whole answers, Holm's p corrects it for all comparisons of its block."
SWAPS = "p swaps the two systems pair by pair, Holm's p corrects it for all comparisons of its list."
GROUPS = "p swaps the two systems group by group, Holm's p corrects it for all comparisons of the table."
UNDEFINED = "undefined"

# What a system is, by its role; tuned ones also by whether pretraining came before.
ROLES: dict[Role, str] = {
    "baseline": "lexical baseline",
    "zero-shot": "pretrained encoder (zero-shot)",
    "pretrained": "after Barlow Twins, not tuned",
    "tuned": "tuned",
}
# The same where it rates texts.
RATED_ROLES: dict[Role, str] = {
    "baseline": "ridge on words",
    "zero-shot": "ridge on the frozen encoder",
    "pretrained": "ridge on the encoder after Barlow Twins",
    "tuned": "tuned",
}
AFTER_PRETRAINING = "after Barlow Twins, then tuned"


def roles(systems: Systems, words: Mapping[Role, str] = ROLES) -> dict[str, str]:
    """What each system is, in words."""
    return {
        name: AFTER_PRETRAINING if systems.is_after_pretraining(name) else words[system.role]
        for name, system in systems.options.items()
    }


def value(number: float, digits: int = DIGITS) -> str:
    """Fixed decimals, so that a column lines up."""
    return f"{number:.{digits}f}".replace("-", MINUS) if math.isfinite(number) else NONE


def bounds(low: float, high: float, digits: int = DIGITS) -> str:
    return f"{value(low, digits)} to {value(high, digits)}" if math.isfinite(low) else NONE


def span(low: float, high: float, digits: int = DIGITS) -> str:
    """`bounds` for narrow columns, where neither bound is negative."""
    return f"{value(low, digits)}{NONE}{value(high, digits)}" if math.isfinite(low) else NONE


def signed(number: float, digits: int = DIGITS) -> str:
    """With its sign; a difference that rounds to nothing has none."""
    text = f"{number:+.{digits}f}".replace("-", MINUS)
    return f"{0:.{digits}f}" if float(f"{number:.{digits}f}") == 0 else text


def correlation(number: float) -> str:
    """Of a table of correlations, where a missing one has its reason beside the table."""
    return value(number) if math.isfinite(number) else UNDEFINED


def difference(number: float) -> str:
    return signed(number) if math.isfinite(number) else UNDEFINED


def p_value(p: float) -> str:
    if math.isnan(p):
        return NONE
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def free(number: float | int) -> str:
    """A number of unknown kind: whole ones whole, others to 4 significant digits."""
    if isinstance(number, float) and not math.isfinite(number):
        return NONE
    text = f"{number:,.0f}" if float(number).is_integer() and abs(number) < 1e9 else f"{number:.4g}"
    return text.replace("-", MINUS)


def per_cent(level: float) -> str:
    return f"{100 * level:g} %"
