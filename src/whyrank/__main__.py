"""`python -m whyrank scenario NAME`: run a named experiment and say whether what it expected came."""

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
    parser = argparse.ArgumentParser(prog="python -m whyrank", description="Named experiments of this repository.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("scenario", help="run one, or list them when no name is given")
    run.add_argument("name", nargs="?")
    run.add_argument("-S", dest="overrides", action="append", default=[], help="further overrides, as for dvc exp run")
    arguments = parser.parse_args()
    if arguments.name is None:
        for name in scenario.names(SCENARIOS):
            print(f"{name:24} {scenario.read(name, SCENARIOS).question}")
        return
    chosen = scenario.read(arguments.name, SCENARIOS)
    # An experiment leaves its overrides in the workspace; the next one would inherit them without a word.
    if subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "params.yaml"], check=False).returncode:
        raise UserError(
            "params.yaml differs from the last commit, perhaps by an earlier experiment, which is kept under its name; "
            "commit your changes, or undo them with `git checkout params.yaml dvc.lock metrics`"
        )
    # Its own earlier run gives way; forcing the name instead would also force every stage to run again.
    subprocess.run([sys.executable, "-m", "dvc", "exp", "remove", chosen.name], check=False, capture_output=True)
    if subprocess.run(scenario.command(chosen, arguments.overrides), check=False).returncode:
        raise UserError(f"scenario {chosen.name}: `dvc exp run` failed; its message stands above")
    found = [finding["code"] for finding in json.loads(FINDINGS.read_text(encoding="utf-8"))]
    print(f"\n{chosen.question}\nfindings, weightiest first: {', '.join(dict.fromkeys(found)) or 'none'}")
    surprises = scenario.verdict(chosen, found)
    print("\n".join(surprises) if surprises else "Everything came as expected.")
    sys.exit(1 if surprises else 0)


if __name__ == "__main__":
    exit_on_user_error(main)
