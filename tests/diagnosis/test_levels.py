"""What training curves are read against: chance, the ceiling that wrong labels leave, and where a check speaks."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from whyrank.diagnosis.examination import Examination
from whyrank.diagnosis.report.content import gather
from whyrank.diagnosis.report.levels import Levels, ceiling, levels
from whyrank.diagnosis.report.messages import of_levels
from whyrank.diagnosis.report.plots import learning_plot
from whyrank.findings.finding import Finding
from whyrank.findings.records import TrainingRecord
from whyrank.preflight.probes import suspects


def judged(far, agreed, split="dev"):
    """So many of the judgements on which rankers agree have their label far away."""
    return pd.DataFrame({
        "query_id": [f"q{i}" for i in range(agreed)], "answer_id": "a", "split": split, "type": "question",
        "far": [0.9] * far + [0.0] * (agreed - far), "is_agreed": True, "margin": 1.0,
    })  # fmt: skip


def test_chance_of_accuracy_is_the_cutoff_over_the_answers(recorded):
    assert levels(recorded, "accuracy@1").chance == pytest.approx(1 / 40)
    assert levels(recorded, "accuracy@3").chance == pytest.approx(3 / 40)
    # One relevant answer among 40: the mean of 1, 1/2, ..., 1/40.
    assert levels(recorded, "mrr").chance == pytest.approx(np.mean(1 / np.arange(1, 41)))


def test_wrong_dev_labels_lower_the_ceiling_and_those_of_another_split_do_not(recorded):
    def of(table):
        return ceiling(replace(recorded.data, tables={**recorded.data.tables, "judgements": table}))

    assert of(judged(0, 50)) == of(pd.DataFrame()) == of(judged(10, 50, "train")) == 1
    # A wrong label lies in the far half in one of two cases: 10 of 50 there are 20 of 50 in all.
    assert of(judged(10, 50)) == pytest.approx(1 - 10 / 50 / (1 - suspects.FAR)) == pytest.approx(0.6)


def test_the_line_of_overfitted_is_where_the_check_begins_to_speak(recorded):
    from whyrank.diagnosis.probes.ranking.training import overfitted

    found = levels(recorded, "accuracy@1").overfitted
    record = recorded.finetune["base"]
    assert set(found) == {init for init, one in recorded.finetune.items() if "rank" in one.objectives}

    def told(last):
        dev = [0.5, 0.8, *[last] * 6]
        steps = np.arange(0, 80, 10)
        table = pd.DataFrame({"step": steps, "accuracy@1_all": dev, "train_accuracy@1": np.linspace(0.5, 1, 8)})
        history = pd.DataFrame({"step": steps[1:], "rank_loss": 1.0, "rows": 16})
        one = TrainingRecord(record.metrics | {"steps_run": 70, "best_step": 70}, history, table)
        records = replace(recorded, finetune={"base": one})
        step, least = levels(records, "accuracy@1").overfitted["base"]
        case = Examination(records, "accuracy@1", 0.95, 200, 0)
        return step, least, any(isinstance(said, Finding) for said in overfitted(case))

    step, least, _ = told(0.7)
    assert step == 10 and told(least - 0.001)[2] and not told(least + 0.001)[2]


def test_the_learning_curve_carries_its_lines_with_a_legend_outside(recorded):
    content = gather(Examination(recorded, "accuracy@1", 0.95, 200, 0), [], {})
    found = Levels(0.025, 0.6, {"base": (100, 0.7)})
    plot = learning_plot(content.learning, content.convergence, content.experiment, "accuracy@1", found)
    axes = Figure().add_subplot()
    plot.paint(axes)
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert {"chance", "ceiling by wrong labels", "base, overfitted below", "kept", "base, dev"} <= set(labels)
    levels_drawn = {line.get_label(): line.get_ydata()[0] for line in axes.lines}
    assert levels_drawn["chance"] == 0.025 and levels_drawn["ceiling by wrong labels"] == 0.6
    assert axes.get_legend().get_bbox_to_anchor().y0 >= axes.bbox.y1
    said = of_levels(found)
    assert said == "Chance is 0.025; wrong labels leave 0.600 at most; the check overfitted speaks below base 0.700."
    assert said in plot.spoken
    assert of_levels(Levels(0.025, 1.0, {})) == "Chance is 0.025."
