"""The command `whyrank`, also `python -m whyrank`: what a user asks beside `dvc repro` and `dvc exp run`."""

import functools
import json
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

if __name__ == "__main__" or sys.argv[0].endswith("/whyrank"):  # a command, and no module that a test imports
    from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.commands import experiment, scenario
from whyrank.commands.arguments import parser
from whyrank.core import command as ending
from whyrank.core import workspace
from whyrank.core.errors import UserError
from whyrank.core.options.yaml_files import PARAMS

SCENARIOS = Path("scenarios")
CURVE = "label-curve"  # runs in this process, with many numbers of labels
DIAGNOSIS, FINDINGS, SUMMARY = Path("metrics/diagnose"), "findings.json", Path("metrics/summary.json")
# What runs in any folder.
ANYWHERE = ("schema", "init", "check", "examine")
SCENARIO_RESULTS, POST_MORTEMS, DEMO = Path("logs/scenario"), Path("logs/post-mortem"), Path("logs/demo")
SEARCHES = Path("logs/search")


def command() -> None:
    """Entry of the console command: a user's mistake is one line and exit code 1."""
    ending.run(main)


def main() -> None:
    arguments, here = parser(SCENARIO_RESULTS, POST_MORTEMS, DEMO).parse_args(), Path.cwd()
    if arguments.command not in ANYWHERE:
        workspace.enter()
    if arguments.command == "export":
        export(arguments, here)
        told = "before you publish it, add `license` and `language` to README.md"
        print(f"{arguments.folder} holds {arguments.system} with its card; {told}")
    elif arguments.command == "post-mortem":
        compare(arguments.topic, arguments.overrides, is_agreed=arguments.yes)
    elif arguments.command == "verdict":
        tell(arguments.fail_on, is_short=arguments.short)
    elif arguments.command == "report":
        show(arguments.as_, arguments.since)
    elif arguments.command == "demo":
        demonstrate()
    elif arguments.command == "init":
        # Imported only here: the other commands start nothing.
        from whyrank.commands import init

        print(init.run(arguments))
    elif arguments.command == "search":
        searched(arguments, here)
    elif arguments.command in ("ask", "teach"):
        # Imported only here: they need torch.
        from whyrank.commands import ask as asking
        from whyrank.commands import teach

        (asking if arguments.command == "ask" else teach).run(arguments, here)
    elif arguments.command == "examine":
        # Imported only here, as for the card.
        from whyrank.commands import examine
        from whyrank.diagnosis.report.ending import ending

        print(ending(examine.run(arguments) / DIAGNOSIS))
    elif arguments.command == "check":
        # Imported only here, as for the card.
        from whyrank.commands import check as checking

        sys.exit(checking.run(arguments))
    elif arguments.command == "fix":
        try_fixes(arguments.step, everything=arguments.all, is_agreed=arguments.yes)
    elif arguments.command == "schema":
        # Imported only here: the other commands need no pydantic.
        from whyrank.core.options import params

        print(params.schema())
    elif arguments.name is None:
        for name in scenario.names(SCENARIOS):
            print(f"{name:24} {scenario.read(name, SCENARIOS).question}")
    else:
        ask(scenario.read(arguments.name, SCENARIOS), arguments.overrides, is_agreed=arguments.yes)


def export(arguments: Namespace, here: Path) -> None:
    # Imported only here: the card needs pandas, and scenarios need not wait for it.
    from whyrank.commands import card, rival_export

    system, folder = arguments.system, here / arguments.folder
    if rival_export.is_rival(system, Path()):
        rival_export.export(system, folder, Path())
    else:
        card.export(system, folder, Path(), backend=arguments.backend, precision=arguments.precision)


def tell(fail_on: Literal["error", "warning"] | None, *, is_short: bool) -> None:
    """Print what the last diagnosis said, and end with 1 where that is a failure."""
    # Imported only here, as for the card.
    from whyrank.commands import verdict
    from whyrank.diagnosis.report.ending import ending

    told = verdict.read(DIAGNOSIS)
    if not is_short:
        print(verdict.rendered(told), end="", flush=True)
    # What is posted, or kept in a file, has said the first two already.
    for line in filter(None, (verdict.other_precision(SUMMARY), ending(DIAGNOSIS))):
        print(line, file=sys.stdout if is_short else sys.stderr)
    sys.exit(1 if fail_on and verdict.failing(told.findings, fail_on) else 0)


def show(form: Literal["text", "page", "json", "schema"], revision: str | None) -> None:
    """Print the last report, as text or JSON, or the schema of that; or open its page, and print where it is.

    revision   print instead how it compares with this commit or experiment
    """
    # Imported only here, as for the card.
    from whyrank.commands import report, since
    from whyrank.core.options.yaml_files import read_yaml

    if revision is not None:
        print(since.since(revision, read_yaml(PARAMS), experiment.fetch))
    elif form == "schema":
        print(json.dumps(report.schema(), indent=1))
    elif form == "json":
        print(json.dumps(report.read(DIAGNOSIS, SUMMARY), indent=1, ensure_ascii=False))
    elif form == "text":
        print(report.text(DIAGNOSIS), end="")
    else:
        print(report.opened(DIAGNOSIS))


def searched(arguments: Namespace, here: Path) -> None:
    """Search, and print what was found. Raises UserError where Optuna is not installed."""
    # Imported only here: Optuna is an extra.
    try:
        from whyrank.commands.search import run
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed; pip install 'whyrank[search]'") from error
    print(run.search(arguments, here, SEARCHES))


def demonstrate() -> None:
    """Run the demo and print it; end with 0 where every fix helped, else with 1."""
    started = time.monotonic()
    # Imported only here: it loads all stages.
    from whyrank.commands import demo, demo_text

    stories = demo.demo(Path.cwd(), DEMO)
    # Aside: the text is the same on every machine.
    print(f"demo: all of it was run here, in {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(demo_text.rendered(stories, DEMO))
    sys.exit(0 if all(story.trial["outcome"] == "helped" for story in stories) else 1)


def try_fixes(number: int | None, *, everything: bool, is_agreed: bool) -> None:
    """Try steps of the fix plan; end with 0 where one stayed or nothing is left to try, else with 1."""
    # Imported only here, as for the card.
    from whyrank.commands import fix
    from whyrank.diagnosis.report.ending import ending

    def agreed(_: fix.Step) -> bool:
        if is_agreed or not sys.stdin.isatty():
            return True
        return input("Run it? [y/N] ").strip().lower() in ("y", "yes")

    made = fix.fix(experiment, number, everything=everything, ask=agreed)
    print(fix.ending(made, fix.read_tried(), fix.start().steps))
    print(f"\n{ending(fix.diagnosed(made))}")
    sys.exit(0 if not made or any(trial["kept"] for trial in made) else 1)


def ask(chosen: scenario.Scenario, overrides: list[str], *, is_agreed: bool) -> None:
    """Run a scenario and end with 0 when all came as expected, else with 1."""
    # Imported only here, as for the card.
    from whyrank.diagnosis.report.ending import ending

    check([chosen], is_agreed=is_agreed)
    folder = SCENARIO_RESULTS / chosen.name
    if chosen.name == CURVE:
        from whyrank.commands import label_gains

        print(f"\n{chosen.question}\n\n{label_gains.measure(chosen, overrides, folder)}\nin {folder}")
        return
    found = codes(chosen, overrides, folder)
    print(f"\n{chosen.question}\nfindings, weightiest first: {', '.join(found) or 'none'}")
    print(f"`dvc exp apply {chosen.name}` brings all results into the workspace")
    surprises = scenario.verdict(chosen, found)
    print("\n".join(surprises) if surprises else "Everything came as expected.")
    print(ending(folder))
    sys.exit(1 if surprises else 0)


def compare(topic: str, overrides: list[str], *, is_agreed: bool) -> None:
    """Run the scenarios of a topic one after the other, and write and print what each change brought."""
    # Imported only here, as for the card.
    from whyrank.commands import post_mortem
    from whyrank.core.options import params
    from whyrank.core.options.yaml_files import read_yaml, starting_params
    from whyrank.findings.systems import Systems

    values = starting_params()
    params.check(values)
    systems = Systems.of(values)
    chosen, folder = post_mortem.of_topic(topic, scenario.names(SCENARIOS), systems), POST_MORTEMS / topic
    check([scenario.read(name, SCENARIOS) for name in chosen.all], is_agreed=is_agreed)
    found = {}
    for number, name in enumerate(chosen.all, start=1):
        print(f"{number} of {len(chosen.all)}: {name}", file=sys.stderr)
        start = time.monotonic()
        settings = [*post_mortem.settings(chosen, name, systems), *overrides]
        found[name] = codes(scenario.read(name, SCENARIOS), settings, SCENARIO_RESULTS / name)
        post_mortem.keep(chosen, name, functools.partial(experiment.fetch, name), folder)
        print(f"{name}: {(time.monotonic() - start) / 60:.1f} minutes", file=sys.stderr)
    experiment.fetch(chosen.fixed, PARAMS, folder / PARAMS)
    print(f"\n{post_mortem.written(chosen, folder, found, read_yaml(str(folder / PARAMS)))}\nin {folder}")


def check(chosen: Iterable[scenario.Scenario], *, is_agreed: bool) -> None:
    """Raise UserError before any run where one would fail, or runs what the user does not agree to."""
    # Imported only here: a list of the scenarios needs neither the options nor the checks of a diagnosis.
    from whyrank.commands import scenario_checks
    from whyrank.diagnosis import registry

    for one in chosen:
        file = SCENARIOS / f"{one.name}.yaml"
        scenario_checks.check(file, one.overrides, [*one.expected, *one.unexpected], sorted(registry.codes()))
        scenario_checks.ask_leave(file, one.overrides, is_given=is_agreed)


def codes(chosen: scenario.Scenario, overrides: list[str], folder: Path) -> list[str]:
    """Run a scenario and put its report into `folder`; the codes of what was found, weightiest first."""
    # Imported only here: it needs pandas.
    from whyrank.core import io

    experiment.run(chosen.name, chosen.question, [*scenario.settings(chosen), *overrides])
    shutil.rmtree(folder, ignore_errors=True)
    experiment.fetch(chosen.name, str(DIAGNOSIS), folder)
    return list(dict.fromkeys(one["code"] for one in io.read_json(folder / FINDINGS)))


if __name__ == "__main__":
    command()
