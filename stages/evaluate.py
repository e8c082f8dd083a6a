"""evaluate: score one system on the test queries, against all answers, on test pairs of sentences and on rated texts.

reads   data/prepared, and what params.yaml says that the system is made of
writes  data/runs/<system>, data/scores/<kind>/<system>, metrics/evaluate/<system>.json
"""

from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.core import checksums, command, io, prepared
from whyrank.core.options import params
from whyrank.scoring import systems
from whyrank.scoring.tasks import KEPT, Tasks


def main() -> None:
    name = command.argument("a system of params.yaml")
    values = params.load(f"evaluate@{name}")
    options = params.section(values, "evaluate", params.Evaluate)
    encoder = params.section(values, "encoder", params.Encoder)
    system = params.system(values, name)
    tasks = Tasks(prepared.read("data/prepared"), options, encoder, params.seed(values), params.kinds())
    scored = systems.score(system, tasks)
    metrics = f"metrics/evaluate/{name}.json"
    io.write_metrics(metrics, scored.metrics)
    with checksums.summed_folder(f"data/runs/{name}", metrics, f"data/prepared/{checksums.SUMS}") as folder:
        scored.write(folder, name)
    with checksums.summed_folder(f"data/scores/{system.kind}/{name}", f"data/prepared/{checksums.SUMS}") as folder:
        io.write_table(folder / KEPT, scored.kept(tasks.texts))


if __name__ == "__main__":
    command.run_stage(main)
