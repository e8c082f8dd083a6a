"""`python -m whyrank scenario NAME`: run a named experiment and say whether what it expected came.

`python -m whyrank export SYSTEM FOLDER`: a trained system with its model card, ready for a hub.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from whyrank import scenario
from whyrank.core.errors import UserError, exit_on_user_error

SCENARIOS = Path("scenarios")
FINDINGS = Path("metrics/diagnose/findings.json")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m whyrank", description="What is asked of a whole repository.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("scenario", help="run a named experiment, or list them when no name is given")
    run.add_argument("name", nargs="?")
    run.add_argument("-S", dest="overrides", action="append", default=[], help="further overrides, as for dvc exp run")
    out = commands.add_parser("export", help="copy a trained system, with its model card, into a folder for a hub")
    out.add_argument("system", help="for instance base-tuned")
    out.add_argument("folder", type=Path, help="new or empty")
    arguments = parser.parse_args()
    if arguments.command == "export":
        export(arguments.system, arguments.folder)
    elif arguments.name is None:
        for name in scenario.names(SCENARIOS):
            print(f"{name:24} {scenario.read(name, SCENARIOS).question}")
    else:
        ask(scenario.read(arguments.name, SCENARIOS), arguments.overrides)


def export(system: str, folder: Path) -> None:
    # Imported only here: the card needs pandas, and scenarios need not wait for it.
    from whyrank import card

    card.export(system, folder, Path())
    print(f"{folder} holds {system} with its card; before you publish it, add `license` and `language` to README.md")


def ask(chosen: scenario.Scenario, overrides: list[str]) -> None:
    """Run a scenario and end with 0 when all came as expected, else with 1."""
    # An experiment leaves its overrides in the workspace; the next one would inherit them without a word.
    if subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"], check=False).returncode:
        raise UserError(
            "params.yaml differs from the last commit, perhaps by an earlier experiment, which is kept under its name; "
            "commit your changes, or undo them with `git checkout params.yaml dvc.lock metrics`"
        )
    # Its own earlier run gives way; forcing the name instead would also force every stage to run again.
    subprocess.run([sys.executable, "-m", "dvc", "exp", "remove", chosen.name], check=False, capture_output=True)
    if subprocess.run(scenario.command(chosen, overrides), check=False).returncode:
        raise UserError(f"scenario {chosen.name}: `dvc exp run` failed; its message stands above")
    found = [finding["code"] for finding in json.loads(FINDINGS.read_text(encoding="utf-8"))]
    print(f"\n{chosen.question}\nfindings, weightiest first: {', '.join(dict.fromkeys(found)) or 'none'}")
    surprises = scenario.verdict(chosen, found)
    print("\n".join(surprises) if surprises else "Everything came as expected.")
    sys.exit(1 if surprises else 0)


if __name__ == "__main__":
    exit_on_user_error(main)
