"""evaluate: score one system on the test queries, against all answers, on test pairs of sentences and on rated texts.

reads   data/prepared, and what params.yaml says that the system is made of
writes  data/runs/<system>, metrics/evaluate/<system>.json
"""

import sys

from whyrank.core import io, prepared
from whyrank.core.errors import exit_on_user_error
from whyrank.core.options import params
from whyrank.scoring import systems


def main() -> None:
    name = sys.argv[1]
    values = params.load(f"evaluate@{name}")
    options = params.section(values, "evaluate", params.Evaluate)
    encoder = params.section(values, "encoder", params.Encoder)
    system = params.system(values, name)
    tasks = systems.Tasks(prepared.read("data/prepared"), options, encoder, params.seed(values))
    scored = systems.score(system, tasks)
    with io.replacing_folder(f"data/runs/{name}") as folder:
        scored.write(folder, name)
    io.write_metrics(f"metrics/evaluate/{name}.json", scored.metrics)


if __name__ == "__main__":
    exit_on_user_error(main)
