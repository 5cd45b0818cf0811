"""The probe of a task: calibration, arms, statements and page are those of images."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from learnorder import Probe, ProbeResult, Task, TaskResults, open_runs, run_probe
from learnorder.config.settings import TaskConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.planters import TablePlanter
from learnorder.probe import ArmNumbers
from learnorder.probe.page import failure_words, unresolved_words
from learnorder.probe.result import calibrate
from tests.test_planted_tasks import make_task, table

QUIET = Execution(workers=1, threads=1, quiet=True)
SMALL = Probe(
    training=TrainingConfig(epochs=12, batch_size=32),
    learning_rates=(0.05, 0.3),
    anneal_at=0.6,
    contrasts=(0.05, 2.0),
    noise=0.0,
    seeds=2,
)


@pytest.fixture(scope="module")
def probed(tmp_path_factory) -> tuple[ProbeResult, object]:
    folder = tmp_path_factory.mktemp("probe")
    return run_probe(SMALL, folder, task=make_task(), execution=QUIET), folder


def test_the_calibration_takes_the_faintest_strength_that_is_memorised(probed):
    result, _ = probed
    assert result.calibration.contrast == 2.0
    assert result.calibration.accuracy[0.05] < 0.9 <= result.calibration.accuracy[2.0]
    assert {f.config.pattern.strength for f in result.results.folders} == {2.0}


def test_arms_and_what_is_measured_are_those_of_images(probed):
    result, _ = probed
    assert isinstance(result.results, TaskResults)
    assert len(result.results.arms) == 3
    arm = result.arm("annealed", 0.3)
    numbers = result.numbers(arm)
    assert set(numbers.clean) == {0, 1}
    assert min(numbers.patch_only.values()) > 0.9
    assert all(epoch is not None for epoch in numbers.pattern.values())
    assert numbers.chance == pytest.approx(1 / 3)
    assert numbers.noun == "examples"
    assert "examples" in " ".join(result.findings())
    assert "images" not in " ".join(result.findings())
    assert result.findings()[0].startswith("These runs favour ")
    assert result.findings()[1].startswith("The pattern's strength is 2: ")


def test_a_calibration_that_fails_names_what_a_task_has():
    probe = replace(SMALL, task=TaskConfig("tests.test_planted_tasks.make_task"))
    for patch, clean in (({2.0: 0.4}, {2.0: 0.9}), ({2.0: 1.0}, {2.0: 0.34})):
        with pytest.raises(ConfigError, match="probe stops here") as raised:
            calibrate(probe, patch, clean, 1 / 3)
        assert "pattern_size" not in str(raised.value)
        assert "data.train_examples" not in str(raised.value)


def test_what_both_arms_learn_at_once_is_named():
    def arm(pattern: int | None, content: int) -> ArmNumbers:
        return ArmNumbers({}, {}, {}, {0: pattern, 1: 1}, {"¼": {0: content, 1: 1}}, 9, 0.1, 0, 2)

    (pattern,) = unresolved_words(arm(1, 2), arm(1, 1))
    assert "learn the pattern within the first epoch" in pattern
    assert pattern.endswith("by the epoch of the content.")
    (content,) = unresolved_words(arm(3, 1), arm(None, 1))
    assert content.endswith("by the epoch of the pattern.")
    (both,) = unresolved_words(arm(1, 1), arm(1, 1))
    assert both.endswith("their order is unknown.")
    assert unresolved_words(arm(1, 2), arm(2, 1)) == []


def test_an_arm_that_learned_almost_nothing_need_not_have_too_large_a_learning_rate(probed):
    result, _ = probed
    arm = result.arm("annealed", 0.3)
    numbers = result.numbers(arm)
    near_chance = replace(numbers, clean=dict.fromkeys(numbers.clean, 0.34))
    (sentence,) = failure_words("LR 0.3, annealed", near_chance)
    assert sentence.startswith("Almost nothing learned: LR 0.3, annealed, ends at 34 %")
    assert "or the runs are too short" in sentence
    diverged = replace(near_chance, diverged=1)
    assert failure_words("LR 0.3, annealed", diverged)[0].startswith("Too large: LR 0.3, annealed")
    assert failure_words("LR 0.3, annealed", numbers) == []


def test_the_page_and_the_record(probed):
    _, folder = probed
    page = (folder / "report.html").read_text()
    assert "pattern alone" in page
    assert 'scope="col">strength</th>' in page
    assert "conflict: pattern of another class" in page
    assert "clean images" not in page.partition("<dl")[0]
    record = json.loads((folder / "probe.json").read_text())
    assert [statement["unit"] for statement in record["statements"]]
    assert record["calibration"]["contrast"] == 2.0


def test_the_probe_is_opened_again(probed):
    result, folder = probed
    opened = open_runs(folder, of=ProbeResult)
    assert opened.calibration == result.calibration
    assert opened.findings() == result.findings()


def test_the_same_call_continues_and_another_task_is_refused(probed):
    result, folder = probed
    again = run_probe(SMALL, folder, task=make_task(), execution=QUIET)
    assert again.findings() == result.findings()
    other = make_task(TablePlanter(columns=(4, 5, 6, 7), z_scale=0.5))
    with pytest.raises(Exception, match=r"another|code|data"):
        run_probe(SMALL, folder, task=other, execution=QUIET)


def test_strengths_are_those_of_the_planter_by_default(tmp_path):
    with pytest.raises(ConfigError, match="planted by the task's planter"):
        run_probe(Probe(), tmp_path, task=make_task(None), execution=QUIET)
    planter = TablePlanter(columns=(4, 5), strengths=(0.3, 0.7))
    task = TaskConfig(path="tests.test_probe_tasks.planted")
    assert replace(Probe(), task=task).tried() == tuple(planter.strengths)
    assert Probe().tried() == (0.1, 0.2, 0.4, 0.8, 1.6)


def planted() -> Task:
    """What an import path names."""
    planter = TablePlanter(columns=(4, 5), strengths=(0.3, 0.7))
    return Task(lambda: nn.Linear(8, 3), table(), planter=planter)


def test_a_faint_pattern_is_for_tasks_whose_planter_has_one(tmp_path):
    with pytest.raises(ConfigError, match="Only planters of tasks"):
        run_probe(Probe(faint=0.1), tmp_path, execution=QUIET)

    class NoFaint:
        strengths = (1.0,)

        def draw(self, num_classes, generator):
            return torch.rand(num_classes, generator=generator)

        def plant(self, inputs, patterns, label, strength, generator):
            planted = inputs.clone()
            planted[-1] += strength * (1 + patterns[label])
            return planted

        def blank(self, inputs):
            return torch.zeros_like(inputs)

    task = make_task(NoFaint())
    probe = replace(SMALL, contrasts=None, faint=0.0)
    with pytest.raises(ConfigError, match="faint"):
        run_probe(replace(probe, faint=0.2), tmp_path, task=task, execution=QUIET)
    assert not list(tmp_path.iterdir())


def test_the_faint_pattern_is_measured_by_itself(tmp_path):
    probe = replace(SMALL, contrasts=(2.0,), seeds=1, learning_rates=(0.05, 0.2))
    probe = replace(probe, faint=1.0)
    result = run_probe(probe, tmp_path, task=make_task(), execution=QUIET)
    arm = result.results.arms[0]
    assert result.results.final(arm, "faint_only", "accuracy")[0] > 0.9
    assert "Faint pattern alone" in (tmp_path / "report.html").read_text()
