"""diagnose: compare the systems, test the differences, and say why one is better or worse than another.

reads   data/prepared, data/runs, metrics/
writes  metrics/diagnose/ (report.html, report.md, findings.json, tables, plot series), metrics/summary.json,
        metrics/findings.json
"""

import sys
from collections import Counter
from pathlib import Path

from whyrank.core import ctrl_c  # noqa: F401 - first

# isort: split
from whyrank.core import checksums, command, io
from whyrank.core.options import overrides, params
from whyrank.core.options.yaml_files import PARAMS, read_yaml
from whyrank.core.origin import origin, versions
from whyrank.diagnosis import registry
from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.read import read_records
from whyrank.diagnosis.report import files
from whyrank.diagnosis.report.ending import ending
from whyrank.diagnosis.report.headline import headline
from whyrank.findings import again
from whyrank.findings.finding import SEVERITIES, of_run
from whyrank.findings.plan import planned
from whyrank.findings.systems import Systems

PACKAGES = ("whyrank", "torch", "transformers", "numpy", "scikit-learn", "bm25s", "dvc")


def main() -> None:
    values = params.load("diagnose")
    seed = params.seed(values)
    options = params.section(values, "diagnose", params.Diagnose)
    places = {"prepared": Path("data/prepared"), "runs": Path("data/runs"), "metrics": Path("metrics")}
    records = read_records(**places, systems=Systems.of(values), params=values)
    case = Examination(records, options.metric, options.level, options.resamples, seed)
    told = registry.examine(case)
    changed = overrides.of_run()
    findings, plan = planned(of_run(told.findings, changed, again.read()), read_yaml(PARAMS))
    with checksums.summed_folder("metrics/diagnose") as folder:
        provenance = {"params": values, "versions": versions(PACKAGES)}
        made_of = origin()._replace(settings=tuple(changed))
        verdict = files.write(case, findings, folder, provenance, told.outcomes, plan, made_of)
        io.write_text(folder / "verdict.txt", verdict + "\n")
        io.write_json(folder / "findings.json", [finding.as_json() for finding in findings])
        io.write_json(folder / "plan.json", plan.as_json())
    raised = Counter(word for finding in findings for word in (finding.severity, finding.code))
    # Every code, also those that found no problem: `git diff` shows a count beside a count.
    io.write_metrics("metrics/findings.json", {word: raised[word] for word in (*SEVERITIES, *sorted(registry.codes()))})
    io.write_metrics("metrics/summary.json", headline(case, findings))
    print(ending("metrics/diagnose"), file=sys.stderr)


if __name__ == "__main__":
    command.run_stage(main)
