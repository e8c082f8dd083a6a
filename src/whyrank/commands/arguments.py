"""The commands of `whyrank` and their arguments; a mistake in them is one line."""

import argparse
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

from whyrank.core.errors import UsageError

SETTING = "override of params.yaml for this run, as for dvc exp run: -S finetune_rank.epochs=3; may be repeated"
AGREED = "do not ask before running what a scenario file names: its launch, the code of its encoder"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; `{self.prog} --help` says more")


def parser(scenario_results: Path, post_mortems: Path, demo: Path) -> argparse.ArgumentParser:
    """The parser of `whyrank`; the folders stand in the help of the commands that write to them."""
    made = Parser(
        prog="whyrank",
        description="Run named experiments, compare them, export trained systems; `dvc repro` runs the pipeline.",
        epilog="Run it in the folder that holds dvc.yaml, or below. `whyrank COMMAND --help` says more of a command.",
    )
    made.add_argument("--version", action="version", version=f"whyrank {version('whyrank')}")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, what: str, more: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=what, description=f"{what[0].upper()}{what[1:]}. {more}")

    add(
        "demo",
        "break the bundled sample in three ways; show what the diagnosis says and what the fixes bring back",
        "Runs the stages in a temporary folder, in about a minute. The workspace stays as it is; reports are in "
        f"{demo}.",
    )
    run = add(
        "scenario",
        "run a named experiment, or list them when no name is given",
        "A scenario is a question, overrides of the committed params.yaml and the findings expected of them. It runs "
        f"in a temporary copy; the report goes to {scenario_results}. "
        "Ends with exit code 0 if all came as expected, else 1.",
    )
    run.add_argument("name", nargs="?", help="a file of scenarios/ without .yaml, for instance seed-barlow")
    _settings(run, SETTING)
    run.add_argument("--yes", action="store_true", help=AGREED)
    why = add(
        "post-mortem",
        "run TOPIC-seed, each TOPIC-seed-* and TOPIC-fixed, and compare them",
        f"Says what each change of the seed scenario brings by itself, and what all bring, in {post_mortems}/TOPIC.",
    )
    why.add_argument("topic", help="for instance ratings")
    why.add_argument("--yes", action="store_true", help=AGREED)
    _settings(why, SETTING)
    add(
        "schema",
        "print the JSON schema of params.yaml, which editors read",
        "It has the meaning, bounds and choices of every key; params.schema.json is a copy.",
    )
    said = add(
        "verdict",
        "print the verdict and the findings of the last diagnosis, in Markdown",
        "Ends with exit code 0, or with 1 where --fail-on names a severity that a finding has.",
    )
    said.add_argument("--fail-on", choices=("error", "warning"), help="warning: a finding that is an error fails, too")
    said.add_argument("--short", action="store_true", help="three lines alone: verdict, checks, path of the report")
    shown = add(
        "report",
        "print the last report for a terminal, open it in a browser, or print it as JSON",
        "docs/report.schema.json is the schema of the JSON.",
    )
    how = shown.add_mutually_exclusive_group()
    for form, flag, what in (
        ("page", "--open", "open the page in the browser of this machine"),
        ("json", "--json", "verdict, metrics, checks, findings and fix plan"),
        ("schema", "--schema", "the schema of that JSON"),
    ):
        how.add_argument(flag, dest="as_", action="store_const", const=form, default="text", help=what)
    earlier = "compare it with a commit or an experiment: each system with an interval, findings gone and new"
    how.add_argument("--since", nargs="?", const="HEAD", metavar="REVISION", help=f"{earlier}; default: HEAD")
    tried = add(
        "fix",
        "try the next step of the fix plan in a temporary copy, and say whether it helped",
        "Compares the metric on the same test queries, with an interval. The workspace stays as it is; results are in "
        "logs/fix.",
    )
    which = tried.add_mutually_exclusive_group()
    which.add_argument("--step", type=int, metavar="N", help="this step of the plan, also one that was tried already")
    which.add_argument("--all", action="store_true", help="go on until nothing is left, or nothing helps")
    tried.add_argument("--yes", action="store_true", help="do not ask before a step runs")
    _start(add)
    _check(add)
    _examine(add)
    _ask(add)
    _search(add)
    _teach(add)
    out = add(
        "export",
        "copy a trained system, with its model card, into a folder for a hub",
        "The folder is a sentence-transformers model; its README.md has data, parameters, metrics and findings. Of a "
        "rival it is an index, and README.md has the code that ranks with it.",
    )
    out.add_argument("system", help="of `systems`: one that has a model, or a nearest-query, classifier or fusion")
    out.add_argument("folder", type=Path, help="new or empty")
    out.add_argument(
        "--backend", choices=("torch", "onnx"), default="torch", help="onnx: with a graph for ONNX Runtime"
    )
    out.add_argument("--precision", choices=("float32", "int8"), default="float32", help="of the weights in that graph")
    return made


def _start(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    start = add(
        "init",
        "make a DVC repository that runs on the installed package, or a data set from two tables",
        "With FOLDER: dvc.yaml, params.yaml, the stages and a place for the data; what is there already stays. With "
        "--from: the BEIR layout in data/raw/TABLE. Tables are CSV, TSV, Parquet or JSONL.",
    )
    start.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    start.add_argument("--sample", action="store_true", help="with the bundled sample as data")
    start.add_argument("--upgrade", action="store_true", help="let the stages run with the package installed now")
    start.add_argument("--from", dest="table", type=Path, metavar="TABLE", help="a query in each row")
    start.add_argument("--query", metavar="COLUMN", help="of TABLE: the text")
    start.add_argument("--answer", metavar="COLUMN", help="of TABLE: the id of the answer")
    start.add_argument("--answers", type=Path, metavar="TABLE", help="an answer in each row")
    for flag, what in (
        ("--type", "of TABLE: question or conversation, or names of your own"),
        ("--id", "of TABLE: the id of the query; default: its line"),
        ("--answers-id", "of the answers: their id; default: as --answer, _id or id"),
        ("--answers-text", "of the answers: their text; default: text, answer, body or content"),
    ):
        start.add_argument(flag, default="", metavar="COLUMN", help=what)
    start.add_argument("--skip-bad-rows", action="store_true", help="leave out rows with a fault, and count them")
    reading = "how the tables are read: -S prepare.files.encoding=cp1252; may be repeated"
    _settings(start, reading)


def _search(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    search = add(
        "search",
        "search hyper-parameters: each trial is an experiment of DVC, chosen by the dev set",
        "Goes on where it was stopped. The best few are repeated under other seeds; the test set is used once, for the "
        "winner. Results are in logs/search. Needs the extra `search`.",
    )
    search.add_argument("space", type=Path, metavar="SPACE", help="a file such as spaces/ranking-head.yaml")
    search.add_argument("--trials", type=_count, default=20, metavar="N", help="of the study in all; default: 20")
    search.add_argument("--jobs", type=_count, default=1, metavar="N", help="trials at a time; default: 1")
    search.add_argument("--sampler", choices=("tpe", "random", "grid"), default="tpe", help="default: tpe")
    shared = "URL of a database that several machines share; default: a file in logs/search"
    search.add_argument("--storage", default="", metavar="URL", help=shared)
    search.add_argument(
        "--best", type=_count, default=3, metavar="N", help="trials that other seeds repeat; default: 3"
    )
    search.add_argument("--seeds", type=_count, default=2, metavar="N", help="of each of them; default: 2")
    _settings(search, "override of params.yaml for every trial: -S prepare.source=data/raw/mine; may be repeated")


def _teach(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    teach = add(
        "teach",
        "train a cross-encoder on the training pairs, as a teacher of ranking or a reranker",
        "From models/base, on right answers and on the hardest wrong ones; the evaluation with the best MRR of the dev "
        "queries wins. Needs the extra `teach`.",
    )
    teach.add_argument("folder", type=Path, metavar="FOLDER", help="new or empty")
    for flag, default, what in (
        ("--negatives", 4, "wrong answers of each training pair"),
        ("--epochs", 2, "rounds through the pairs"),
        ("--batch-size", 16, "pairs of texts"),
        ("--tokens", 256, "of a query and an answer together, after which the pair is cut"),
        ("--dev-queries", 200, "dev queries that are reranked, at most"),
        ("--depth", 20, "answers of a dev query that are reranked"),
        ("--evaluations", 3, "on the dev queries"),
    ):
        teach.add_argument(flag, type=_count, default=default, metavar="N", help=f"{what}; default: {default}")
    teach.add_argument("--queries", type=_count, default=0, metavar="N", help="training queries; default: all")
    teach.add_argument("--learning-rate", type=float, default=5e-5, metavar="X", help="at its peak; default: 5e-5")


def _ask(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    ask = add(
        "ask",
        "rank the answers for a text of your own",
        "Under the system, and beside it under the untrained encoder and BM25. Without TEXT and --file each line of "
        "standard input is a text; what is loaded stays loaded.",
    )
    ask.add_argument("system", metavar="SYSTEM", help="one of `systems` in params.yaml that was evaluated")
    ask.add_argument("text", nargs="?", metavar="TEXT")
    ask.add_argument("--file", type=Path, metavar="FILE", help="a text in each line; answers are printed as CSV")
    ask.add_argument("--best", type=_count, default=5, metavar="N", help="answers of each; default: 5")


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _settings(command: argparse.ArgumentParser, what: str) -> None:
    command.add_argument("-S", dest="overrides", action="append", default=[], metavar="KEY=VALUE", help=what)


def _figure(text: str) -> tuple[str, float]:
    metric, _, value = text.partition("=")
    try:
        return metric, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no METRIC=VALUE, such as ndcg@10=0.52") from None


def _check(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    check = add(
        "check",
        "say what can be said of data before any training: reading, splits, labels, texts, leaks",
        "Needs no repository, and writes nothing but --out. Ends with exit code 0, with 3 where a finding is a warning "
        "and 4 where one is an error, with 1 and a line where the data cannot be read.",
    )
    check.add_argument("data", metavar="DATA", help="a folder in BEIR layout, or a hub id")
    check.add_argument("--json", action="store_true", help="findings, checks and figures as JSON")
    check.add_argument("--out", type=Path, metavar="FOLDER", help="keep all tables there, new or empty")
    setting = "another value than that of the package's params.yaml: -S prepare.tokens.answer=128; may be repeated"
    _settings(check, setting)


def _examine(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    examine = add(
        "examine",
        "write the report of the pipeline about a model that was trained elsewhere; trains nothing",
        "Needs no repository: all of it lies in a folder of its own. With --base the model is compared with what it "
        "was trained from; with --history the checks of a training apply as far as it was logged.",
    )
    given = "a folder of sentence-transformers or of vectors, a hub id, or a run file"
    examine.add_argument("model", metavar="MODEL", help=given)
    examine.add_argument("--data", required=True, help="a folder in BEIR layout, or a hub id")
    examine.add_argument("--base", default="", metavar="MODEL", help="what it was trained from: a folder or a hub id")
    logged = "trainer_state.json, TensorBoard's events, or a CSV with step and loss"
    examine.add_argument("--history", type=Path, metavar="FILE", help=logged)
    examine.add_argument(
        "--expected", type=_figure, action="append", default=[], metavar="METRIC=VALUE",
        help="a figure from elsewhere, which the report explains: ndcg@10=0.52; may be repeated",
    )  # fmt: skip
    examine.add_argument("--out", type=Path, metavar="FOLDER", help="default: whyrank-MODEL-DATA; new or empty")
    setting = "another value than that of the package's params.yaml: -S diagnose.metric=ndcg@10; may be repeated"
    _settings(examine, setting)
