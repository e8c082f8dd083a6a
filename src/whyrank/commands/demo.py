"""`whyrank demo`: the sample broken in three ways, what the diagnosis says of each, and what its fix brings back.

Every number comes from the stages of the pipeline, run here and now in a temporary folder: two runs beside each other,
on half the tokens, and with a head on vectors that are computed once, so that all of it takes less than a minute. The
workspace stays as it is, but for the reports in logs/demo.
"""

import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import torch

from whyrank.commands import fix, in_process
from whyrank.commands.demo_faults import FAULTS, SAMPLE, Fault, first_of, n_stages, values_of, write_sample
from whyrank.core import io
from whyrank.core.options import params
from whyrank.core.progress import Note, progress
from whyrank.findings.systems import Systems
from whyrank.measure.significance.resampling import Interval
from whyrank.measure.significance.statistics import mean_interval

WORKERS = 2


class Story(NamedTuple):
    """What came of a fault.

    refused   what preflight said before any training; empty where it let the run go on
    finding   the first one of the diagnosis, as in findings.json;  step   the first one of its fix plan
    before, broken, after   metric of the fine-tuned system on the test queries
    trial     what `whyrank fix` recorded of the step
    """

    fault: Fault
    metric: str
    refused: str
    finding: dict[str, Any]
    step: dict[str, Any]
    before: Interval
    broken: Interval
    after: Interval
    trial: dict[str, Any]


class Place(NamedTuple):
    """root   the repository;  folder   of the demo's runs;  results   of its reports
    tell   called with each stage that begins
    """

    root: Path
    folder: Path
    results: Path
    tell: Callable[[str], None]


_place: Place  # of a worker


def demo(root: Path, results: Path) -> list[Story]:
    """Run the healthy pipeline and all faults; the report of each goes to `results`/<name>.

    root   the repository

    Raises what a stage raises.
    """
    # Each run has a processor of its own, and only a process without threads may be forked.
    torch.set_num_threads(1)
    in_process.stages(root)
    context = multiprocessing.get_context("fork")
    told = context.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="whyrank-demo-") as name:
        place = Place(root, Path(name), results.absolute(), told.put)
        with ProcessPoolExecutor(WORKERS, context, initializer=_begin, initargs=(place,)) as pool:
            try:
                return _stories(pool, place, told)
            except BaseException:
                for process in multiprocessing.active_children():
                    process.terminate()
                raise


def _begin(place: Place) -> None:
    """Prepare a worker: with a cache that all share, and its own log, since two would write over each other."""
    global _place
    _place = place
    os.environ["WHYRANK_CACHE"] = str(place.folder / "cache")
    log = os.open(place.folder / f"log-{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(log, stream)


def _stories(pool: ProcessPoolExecutor, place: Place, told: Any) -> list[Story]:
    """The fault of the data beside the healthy run; after it the others, which start from its outputs."""
    healthy, note = pool.submit(run_healthy), Note()
    stories = {fault.name: pool.submit(run_fault, fault) for fault in FAULTS if fault.shifted}

    def stages() -> Iterator[str]:
        pending: set[Future[Any]] = {healthy, *stories.values()}
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
            for one in done:
                one.result()
            if healthy in done:
                rest = {one.name: pool.submit(run_fault, one) for one in FAULTS if one.name not in stories}
                stories.update(rest)
                pending |= {*rest.values()}
            while not told.empty():
                note(told.get())
                yield note.text

    for _ in progress(stages(), total=n_stages(place.root), what="demo", note=note):
        pass
    before = healthy.result()
    return [stories[one.name].result()._replace(before=before[one.is_pretrained]) for one in FAULTS]


def run_healthy() -> dict[bool, Interval]:
    """In a worker: the run that nothing is wrong with; its metric with and without pretraining."""
    root, folder, tell = _place.root, _place.folder / "healthy", _place.tell
    values = values_of(None)
    in_process.arrange(folder, root, values)
    write_sample(root / SAMPLE, folder / SAMPLE)
    in_process.run(folder, root, in_process.plan(values, root, diagnosed=False), lambda name: tell(f"healthy: {name}"))
    return {fault.is_pretrained: metric(folder, values_of(fault)) for fault in FAULTS}


def run_fault(fault: Fault) -> Story:
    """In a worker: break the run, diagnose it, run the first step of its fix plan; `before` is filled in later."""
    root, folder, values = _place.root, _place.folder / fault.name, values_of(fault)
    first = first_of(fault, root)

    def tell(name: str) -> None:
        _place.tell(f"{fault.name}: {name}")

    if fault.shifted:
        in_process.arrange(folder, root, values)
        write_sample(root / SAMPLE, folder / SAMPLE, shifted=fault.shifted)
    else:
        in_process.link(_place.folder / "healthy", folder, values)
    refused = in_process.run(folder, root, in_process.plan(values, root, first), tell)
    diagnosis = folder / fix.DIAGNOSIS
    fixes = in_process.Fixes(root, folder, _place.folder / f"{fault.name}-fixed", tell)
    with chdir(folder):
        (trial,) = fix.fix(fixes, None, everything=False, ask=lambda _: True)
    with io.replacing_folder(_place.results / fault.name) as results:
        shutil.copytree(diagnosis, results, dirs_exist_ok=True)
    finding = io.read_json(diagnosis / "findings.json")[0]
    step = io.read_json(diagnosis / fix.PLAN)["steps"][0]
    broken, after = metric(folder, values), metric(fixes.after, values)
    return Story(fault, values["diagnose"]["metric"], refused, finding, step, broken, broken, after, trial)


def metric(folder: Path, values: Mapping[str, Any]) -> Interval:
    """Of the one fine-tuned system of these values, over the test queries of a run."""
    (tuned,) = Systems.of(values).tuned
    options = params.section(dict(values), "diagnose", params.Diagnose)
    table = io.read_table(folder / fix.RUNS / tuned / "queries.parquet")
    draw = {"resamples": options.resamples, "seed": params.seed(dict(values))}
    return mean_interval(table[options.metric], table["cluster"], level=options.level, **draw)
