"""Which explanation was right? A scenario of ratings, those that change one thing of it, and the one that fixes all.

`python -m whyrank post-mortem ratings` runs `ratings-seed`, each `ratings-seed-*` and `ratings-fixed`, and compares
what they say of the same rows.

Shapes: N rated rows · T targets
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from whyrank.core import io
from whyrank.core.errors import UserError
from whyrank.core.options import params
from whyrank.core.options.system_links import made_of
from whyrank.diagnosis.compare.ratings import Rated, wide
from whyrank.diagnosis.report import numbers
from whyrank.diagnosis.report.markdown import pipe_table
from whyrank.diagnosis.report.tables import each
from whyrank.findings.systems import Systems
from whyrank.measure.significance.resampling import holm
from whyrank.measure.significance.statistics import Resampled, resample_spearman

COLUMNS = ["run", "value", "low", "high"]
COLUMNS += ["gain", "gain_low", "gain_high", "p", "p_holm", "over", "over_low", "over_high"]


class Parts(NamedTuple):
    """Names of scenarios: `seed` is explained, each of `ablations` changes one thing of it, `fixed` all.

    tuned, words, frozen   the systems compared: one that is tuned, a baseline, what the tuned one starts from
    """

    seed: str
    ablations: list[str]
    fixed: str
    tuned: str
    words: str
    frozen: str

    @property
    def baselines(self) -> tuple[str, str]:
        return self.words, self.frozen

    @property
    def all(self) -> list[str]:
        return [self.seed, *self.ablations, self.fixed]


def of_topic(topic: str, names: Sequence[str], systems: Systems) -> Parts:
    """Of the scenarios and systems that there are; raises UserError where one is missing."""
    seed, fixed = f"{topic}-seed", f"{topic}-fixed"
    ablations = [name for name in names if name.startswith(f"{seed}-")]
    if not {seed, fixed} <= set(names) or not ablations:
        raise UserError(
            f"no post-mortem of {topic!r}: it takes scenarios {seed}, {seed}-… and {fixed}; "
            "`python -m whyrank scenario` lists those that there are"
        )
    tuned = next((name for name in systems.tuned if not systems.is_after_pretraining(name)), "")
    if not tuned or not systems.rating_baseline:
        raise UserError(
            "params.yaml: `systems` has no baseline that rates texts, or no system that is tuned without pretraining"
        )
    return Parts(seed, ablations, fixed, tuned, systems.rating_baseline, systems.start[tuned])


def settings(chosen: Parts, name: str, systems: Systems) -> list[str]:
    """Further overrides of one run: the seed has scored the baselines; the fixed run is still told from words.

    What is made of a system that is left out goes with it.
    """
    scored = baselines(chosen, name)
    left_out = [system for system in chosen.baselines if system not in scored]
    # It grows while it is read: of a rival there may be another one.
    for system in left_out:
        left_out += [one for one in systems.rivals if one not in left_out and system in made_of(one, systems.options)]
    return [f"~systems.{system}" for system in left_out]


def baselines(chosen: Parts, name: str) -> tuple[str, ...]:
    """The baselines that a run scores."""
    return {chosen.seed: chosen.baselines, chosen.fixed: (chosen.words,)}.get(name, ())


def keep(chosen: Parts, name: str, fetch: Callable[[str, Path], bool], folder: Path) -> None:
    """Copy what a run says of the rows; `fetch` copies a file of its results, and says whether there is one.

    Raises UserError where it rated nothing.
    """
    for system in (chosen.tuned, *baselines(chosen, name)):
        if not fetch(f"data/runs/{system}/ratings.parquet", folder / name / f"{system}.parquet"):
            raise UserError(f"scenario {name}: {system} rated nothing, and a post-mortem compares ratings")


def table(chosen: Parts, folder: Path, *, level: float, resamples: int, seed: int) -> pd.DataFrame:
    """COLUMNS, a row for each baseline and each run, of what `keep` left.

    value   mean over the targets of Spearman's correlation over all rows, each rated out of fold; 0 at chance
    gain    value less that of the seed on the same rows, with its p and Holm's over the ablations and the fixed run
    over    value less that of TF-IDF
    Intervals resample groups. Raises UserError where two runs rated other rows.
    """
    rated = {name: wide(io.read_table(folder / chosen.seed / f"{name}.parquet")) for name in chosen.baselines}
    rated |= {name: wide(io.read_table(folder / name / f"{chosen.tuned}.parquet")) for name in chosen.all}
    check(rated, chosen)
    first = rated[chosen.seed]
    pairs = [(name, other) for name in rated for other in (chosen.seed, chosen.words) if name != other]
    predictions = {name: one.prediction_NT for name, one in rated.items()}
    resampled = resample_spearman(predictions, first.label_NT, first.group_N, pairs, resamples=resamples, seed=seed)
    rows = [row(name, resampled, chosen, level) for name in rated]
    found = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_holm"])
    found.insert(COLUMNS.index("p_holm"), "p_holm", np.nan)
    is_change = found["run"].isin([*chosen.ablations, chosen.fixed])
    found.loc[is_change, "p_holm"] = holm(found.loc[is_change, "p"].to_numpy(dtype=float))
    return found


def written(chosen: Parts, folder: Path, codes: Mapping[str, list[str]], values: Mapping[str, Any]) -> str:
    """Write the table into `folder` as CSV and as text, and return the text.

    values   of the params.yaml of the fixed run
    """
    options = params.section(dict(values), "diagnose", params.Diagnose)
    draws = {"resamples": options.resamples, "seed": params.seed(dict(values))}
    found = table(chosen, folder, level=options.level, **draws)
    text = rendered(found, codes, options.level)
    io.write_table(folder / "table.csv", found)
    io.write_text(folder / "table.md", text)
    return text


def check(rated: Mapping[str, Rated], chosen: Parts) -> None:
    """Differences are between answers to one question."""
    first = rated[chosen.seed]
    for name, one in rated.items():
        if one.targets != first.targets or not np.array_equal(one.label_NT, first.label_NT):
            raise UserError(f"{name} rated other rows than {chosen.seed}: prepare.ratings.source has changed")


def row(name: str, resampled: Resampled, chosen: Parts, level: float) -> list[object]:
    """Differences of a system with itself stay empty."""
    to_seed, to_words = (
        (np.nan,) * 4 if name == other else resampled.comparison(name, other, level)
        for other in (chosen.seed, chosen.words)
    )
    return [name, *resampled.interval(name, level), *to_seed, *to_words[:3]]


def rendered(found: pd.DataFrame, codes: Mapping[str, list[str]], level: float) -> str:
    """For a terminal or a page: the table, and the codes of what was found in each run."""
    header = ["run", "mean Spearman", numbers.ci(level), "less the seed's", "interval", "Holm's p"]
    body = [
        [
            one.run, numbers.defined(one.value), numbers.interval(one.low, one.high),
            *shown(one.gain, one.gain_low, one.gain_high), numbers.p_value(one.p_holm),
            *shown(one.over, one.over_low, one.over_high),
        ]
        for one in each(found.astype({name: float for name in COLUMNS if name != "run"}))
    ]  # fmt: skip
    lines = [f"- {name}: {', '.join(found) or 'nothing found'}" for name, found in codes.items()]
    blocks = [pipe_table([*header, "less TF-IDF's", "interval"], body), "Findings, weightiest first:", "\n".join(lines)]
    return "\n\n".join(blocks) + "\n"


def shown(difference: float, low: float, high: float) -> tuple[str, str]:
    if np.isnan(difference):
        return "", ""
    return numbers.signed(difference), numbers.interval(low, high, numbers.signed)
