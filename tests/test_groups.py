"""Known groups of a task's examples: what is measured of each, what is refused, what is advised."""

import math
import re
from dataclasses import replace
from operator import itemgetter

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from learnorder import Groups, LRSearch, Task, run_advise, write_report
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.data.groups import read_column, suggested_classes
from learnorder.errors import ConfigError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.planters import ImagePlanter
from learnorder.report.groups import group_table, overall_table, worst_group
from learnorder.runs import RunFolder
from learnorder.runs.results import TaskResults
from learnorder.schedules import Schedule
from learnorder.statistics.intervals import share_of_examples
from learnorder.training.group_scores import attribute_reliance
from learnorder.training.groups import resolve_groups
from learnorder.training.task import identify, register_task, splits
from learnorder.training.task_problem import task_trainer

QUIET = Execution(workers=1, quiet=True)


def shortcut(n: int = 400, agreement: float = 0.9, seed: int = 0):
    """Inputs (noisy content, sharp attribute), labels, and the attribute by name."""
    drawing = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 2
    agrees = torch.rand(n, generator=drawing) < agreement
    attribute = torch.where(agrees, labels, 1 - labels)
    content = (2.0 * labels - 1) + 1.5 * torch.randn(n, generator=drawing)
    x = torch.stack([content, 2.0 * attribute - 1], dim=1)
    return TensorDataset(x, labels), [("tweet", "review")[a] for a in attribute.tolist()]


def make_task(n: int = 400, **settings) -> Task:
    data, domains = shortcut(n)
    groups = Groups(domains, name="domain", class_names=("negative", "positive"), **settings)
    return Task(lambda: nn.Linear(2, 2), data, groups=groups)


def grouping_of(task: Task):
    return resolve_groups(task.groups, (task.train, task.validation), *splits(task))


def config_of(given: TaskConfig, seed: int = 0, rate: float = 0.5, epochs: int = 4):
    training = TrainingConfig(epochs=epochs, batch_size=32, weight_decay=0.0)
    return TaskRunConfig(given, training, Schedule(rate), seed=seed)


def trained(task: Task):
    trainer = task_trainer(config_of(TaskConfig()), task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def rows(trainer, **wanted):
    columns = trainer.records.columns
    listed = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [row for row in listed if all(row[k] == v for k, v in wanted.items())]


def test_groups_are_the_attribute_within_each_class_and_the_split_has_all_of_them():
    task = make_task()
    grouping = grouping_of(task)
    assert set(grouping.names) == {
        f"{d}, {c}" for d in ("tweet", "review") for c in ("negative", "positive")
    }
    shares = [(train, held / (train + held)) for train, held in grouping.sizes().values()]
    assert all(0.1 < share < 0.3 for _, share in shares)
    assert sum(train for train, _ in shares) == 320


def test_what_is_measured_of_each_group_agrees_with_the_predictions():
    task = make_task()
    trainer = trained(task)
    problem = trainer.problem
    data, domains = shortcut()
    held = splits(task)[1].indices
    x, labels = data.tensors[0][held], data.tensors[1][held]
    correct = trainer.network(x).argmax(1) == labels
    names = [
        f"{domains[i]}, {('negative', 'positive')[y]}" for i, y in zip(held, labels, strict=True)
    ]
    expected = pd.Series(correct.numpy()).groupby(names).mean().to_dict()
    last = rows(trainer, epoch=4, set="validation", quantity="accuracy")
    assert {r["group"]: r["value"] for r in last if r["group"] != "all"} == pytest.approx(expected)
    (worst,) = rows(trainer, epoch=4, set="validation", quantity="worst_group_accuracy")
    (gap,) = rows(trainer, epoch=4, set="validation", quantity="accuracy_gap")
    assert worst["value"] == pytest.approx(min(expected.values()))
    assert gap["value"] == pytest.approx(float(correct.float().mean()) - worst["value"])
    aligned = torch.tensor(
        [(domains[i] == "review") == bool(y) for i, y in zip(held, labels, strict=True)]
    )
    (reliance,) = rows(trainer, epoch=4, set="validation", quantity="reliance")
    assert reliance["value"] == pytest.approx(attribute_reliance(correct, aligned, labels))
    assert reliance["value"] > 0.3
    losses = rows(trainer, epoch=4, set="validation", quantity="loss")
    whole = next(r for r in losses if r["group"] == "all")
    weighted = sum(r["value"] * r["examples"] for r in losses if r["group"] != "all")
    assert weighted / whole["examples"] == pytest.approx(whole["value"], rel=1e-5)
    of_training = rows(trainer, epoch=4, set="train", quantity="accuracy")
    assert {r["group"] for r in of_training} == {"all", *problem.groups.names}
    counted = sum(r["examples"] for r in of_training if r["group"] != "all")
    assert counted == next(r["examples"] for r in of_training if r["group"] == "all")


def test_groups_change_nothing_that_is_trained():
    data, domains = shortcut()
    held, own = shortcut(100, seed=1)
    plain = Task(lambda: nn.Linear(2, 2), data, validation=held)
    grouped = replace(plain, groups=Groups(domains, own))
    networks = [trained(task).network for task in (plain, grouped)]
    assert torch.equal(networks[0].weight, networks[1].weight)


def test_a_run_with_groups_continues_to_the_byte():
    task, config = make_task(), config_of(TaskConfig())
    whole = trained(task)
    stopped = task_trainer(config, task)
    steps = iter(range(100))
    assert stopped.run(lambda _: next(steps) == 13, lambda _: None).status == "interrupted"
    continued = task_trainer(config, task, stopped.state())
    continued.run(lambda _: False, lambda _: None)
    assert continued.records.columns == whole.records.columns


def test_scores_that_are_no_accuracy_are_measured_of_each_value():
    data, domains = shortcut()
    x = data.tensors[0]
    task = Task(
        lambda: nn.Linear(2, 1),
        TensorDataset(x, x.sum(1, keepdim=True)),
        loss=nn.functional.mse_loss,
        groups=Groups(domains, spurious=False),
    )
    trainer = task_trainer(config_of(TaskConfig(), rate=0.02), task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    losses = {
        r["group"]: r["value"] for r in rows(trainer, epoch=4, set="validation", quantity="loss")
    }
    (worst,) = rows(trainer, epoch=4, set="validation", quantity="worst_group_loss")
    assert worst["value"] == max(losses["review"], losses["tweet"])
    assert not rows(trainer, quantity="reliance")


def test_an_attribute_suggests_the_class_that_it_makes_likelier():
    """Waterbirds: land birds are the majority on both backgrounds."""
    attribute = torch.tensor([0] * 1000 + [1] * 300)
    labels = torch.tensor([0] * 990 + [1] * 10 + [0] * 180 + [1] * 120)
    assert suggested_classes(attribute, labels, 2, 2).tolist() == [0, 1]


@pytest.mark.parametrize(("p", "n", "spread"), [(0.9, 20, 0.0), (0.5, 12, 0.05), (0.7, 200, 0.1)])
def test_intervals_of_small_groups_cover_the_truth(p, n, spread):
    """Examples are drawn with their difficulty, seeds move all of them."""
    rng, covered, trials = np.random.default_rng(0), 0, 300
    for _ in range(trials):
        difficulty = rng.random(n)
        accuracies = [
            float((difficulty < np.clip(p + spread * rng.standard_normal(), 0, 1)).mean())
            for _ in range(5)
        ]
        e = share_of_examples(accuracies, n)
        covered += e.low <= p <= e.high
    assert covered / trials > 0.93


def test_columns_of_files_functions_and_arrays_are_the_same_groups(tmp_path):
    data, domains = shortcut()
    frame = pd.DataFrame({"domain": domains})
    frame.to_csv(tmp_path / "meta.csv")
    frame.to_parquet(tmp_path / "meta.parquet")
    frame.to_csv(tmp_path / "meta.tsv", sep="\t")
    forms = [
        Groups(np.array(domains)),
        Groups(frame["domain"]),
        Groups(lambda item: "review" if item[0][1] > 0 else "tweet"),
        *(Groups.read(tmp_path / f"meta.{kind}", "domain") for kind in ("csv", "parquet", "tsv")),
    ]
    names, codes = set(), []
    for groups in forms:
        task = Task(lambda: nn.Linear(2, 2), data, groups=groups)
        grouping = grouping_of(task)
        names.add(grouping.names)
        codes.append(grouping.train)
    assert len(names) == 1
    assert all(torch.equal(code, codes[0]) for code in codes)
    numbers = Groups(torch.tensor([d == "tweet" for d in domains]).long())
    assert identify(Task(lambda: nn.Linear(2, 2), data, groups=numbers)) != identify(
        Task(lambda: nn.Linear(2, 2), data)
    )


DATA, DOMAINS = shortcut(60, seed=3)
VALIDATION, OWN = shortcut(60, seed=4)


@pytest.mark.parametrize(
    ("groups", "validation", "field", "words"),
    [
        (Groups(DOMAINS[:-1]), None, "task.groups.train", "60 examples"),
        (Groups(DOMAINS), VALIDATION, "task.groups.validation", "needs its own"),
        (Groups(DOMAINS, OWN), None, "task.groups.validation", "held out"),
        (Groups(DOMAINS, OWN[:-1]), VALIDATION, "task.groups.validation", "60 examples"),
        (Groups([None, *DOMAINS[1:]]), None, "task.groups.train", "missing for example 0"),
        (Groups([math.nan, *range(59)]), None, "task.groups.train", "missing"),
        (Groups(["tweet"] * 60), None, "task.groups.train", "one value"),
        (Groups([i / 7 for i in range(60)]), None, "task.groups.train", "bins"),
        (Groups(DOMAINS, ["Tweet", *OWN[1:]]), VALIDATION, "task.groups.train", "No training"),
        (Groups(["blog", *DOMAINS[1:]], OWN), VALIDATION, "task.groups.validation", "blog, class"),
        (Groups(lambda item: item["domain"]), None, "task.groups.train", "failed on item 0"),
        (Groups(DOMAINS, class_names=("one",)), None, "task.groups.class_names", "2 classes"),
    ],
)
def test_groups_that_do_not_fit_are_refused(groups, validation, field, words):
    task = Task(lambda: nn.Linear(2, 2), DATA, validation, groups=groups)
    with pytest.raises(ConfigError, match=words) as refused:
        grouping_of(task)
    assert refused.value.field == field


class Counted(Dataset):
    """Counts how often an item is loaded; its classes are known by loading alone."""

    def __init__(self):
        self.data, self.loaded = shortcut(400)[0], 0

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        self.loaded += 1
        return self.data[index]


def test_items_are_loaded_once_for_their_classes_and_once_for_a_function():
    data = Counted()
    groups = Groups(lambda item: "review" if item[0][1] > 0 else "tweet")
    task = Task(lambda: nn.Linear(2, 2), data, groups=groups)
    first = grouping_of(task)
    assert data.loaded == 2 * 400
    again = grouping_of(task)
    assert data.loaded == 2 * 400
    assert torch.equal(first.train, again.train)


class Rows(Dataset):
    def __init__(self, rows: list):
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        return self.rows[index]


class Parity(TensorDataset):
    """Items whose targets are not the data set's attribute."""

    def __getitem__(self, index: int):
        inputs, target = super().__getitem__(index)
        return inputs, target % 2


def test_classes_are_those_of_the_items():
    """As with a ``target_transform``, which ``targets`` of a data set leave out."""
    data = Parity(torch.randn(60, 2), torch.arange(60) % 6)
    task = Task(nn.Linear(2, 2), data, groups=Groups(["a", "b"] * 30))
    assert grouping_of(task).names == ("a, class 0", "b, class 1")
    assert commonest_of(replace(task, groups=None, validation=data)) == 0.5


def commonest_of(task: Task) -> float:
    with register_task(task) as given:
        return task_trainer(config_of(given), task).problem.commonest()


def test_a_data_set_that_was_edited_in_place_is_read_again():
    data = [[0.5, label, "ab"[label]] for label in (0, 1) * 30]
    task = Task(nn.Linear(1, 2), Rows(data), groups=Groups(itemgetter(2), spurious=False))
    with register_task(task):
        assert grouping_of(task).names == ("a", "b")
    for row in data[::3]:
        row[2] = "c"
    with register_task(task):
        assert grouping_of(task).names == ("a", "b", "c")


def test_unseen_groups_may_be_allowed():
    groups = Groups(DOMAINS, ["blog", *OWN[1:]], allow_unseen=True)
    task = Task(lambda: nn.Linear(2, 2), DATA, VALIDATION, groups=groups)
    sizes = grouping_of(task).sizes()
    assert any(trained == 0 for trained, _ in sizes.values())


def test_a_task_is_printed_without_the_attribute_of_each_example():
    task = Task(lambda: nn.Linear(2, 2), DATA, groups=Groups(DOMAINS, name="domain"))
    assert "name='domain'" in repr(task)
    assert "tweet" not in repr(task)


def test_columns_of_text_files_are_read_as_they_are_written(tmp_path):
    """No code loses its zeros, and no name is taken for a missing value."""
    (tmp_path / "meta.csv").write_text("site,country,year,age\n007,NA,2019,1\n7,None,2020,2.5\n")
    columns = [
        read_column(tmp_path / "meta.csv", name, "groups")
        for name in ("site", "country", "year", "age")
    ]
    assert columns == [["007", "7"], ["NA", "None"], [2019, 2020], [1.0, 2.5]]
    (tmp_path / "meta.csv").write_text("site,year\n7,2019\n8,\n")
    _, missing = read_column(tmp_path / "meta.csv", "year", "groups")
    assert math.isnan(missing)


def test_values_that_are_no_groups_are_refused(tmp_path):
    for wrong in ("domain", 3, None):
        with pytest.raises(ConfigError, match="one value for each example"):
            Groups(wrong)
    with pytest.raises(ConfigError, match="Give learnorder"):
        Task(lambda: nn.Linear(2, 2), DATA, groups=DOMAINS)
    pd.DataFrame({"domains": DOMAINS}).to_csv(tmp_path / "meta.csv")
    with pytest.raises(ConfigError, match="Did you mean domains"):
        Groups.read(tmp_path / "meta.csv", "domain")
    with pytest.raises(ConfigError, match="cannot be read"):
        Groups.read(tmp_path / "absent.csv", "domain")
    task = Task(lambda: nn.Linear(2, 2), TensorDataset(DATA.tensors[0], DATA.tensors[0]),
                groups=Groups(DOMAINS))  # fmt: skip
    with pytest.raises(ConfigError, match="no integer class"):
        splits(task)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two learning rates on three seeds."""
    folder = tmp_path_factory.mktemp("groups")
    with register_task(make_task()) as given:
        plans = {
            f"{rate}-{seed}": Plan(config_of(given, seed, rate), {"arm": f"LR {rate:g}"})
            for rate in (0.01, 0.5)
            for seed in range(3)
        }
        return TaskResults(run_plans(plans, folder, QUIET, here=True))


def test_results_have_the_groups(runs):
    groups = runs.groups()
    assert groups.attribute == "domain"
    assert groups.score == "accuracy"
    assert groups.chance == 0.5
    assert groups.overall() == ["worst_group_accuracy", "accuracy_gap", "reliance"]
    group = "review, positive"
    e = groups.final("LR 0.5", group)
    over_seeds = runs.final_estimate("LR 0.5", "validation", "accuracy")
    assert e.n == 3
    assert e.high - e.low > over_seeds.high - over_seeds.low
    assert set(groups.learned("LR 0.5", group)) == {0, 1, 2}
    assert all(epoch in (1, 2, 3, 4) for epoch in groups.learned("LR 0.5", group).values())


def test_the_report_begins_with_the_groups(runs, tmp_path):
    write_report(runs, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.index("Groups by domain") < page.index("Final scores")
    assert "When each group is learned" in page
    assert "reliance on the domain" in "".join(runs.findings())
    row = next(row for row in page.split("<tr") if ">review, positive (" in row)
    assert len(re.findall(r'<a href="#run-\d+">seed [012]</a>', row)) == 6, "of both arms"
    assert links_of(page) <= anchors_of(page)


def test_with_many_arms_each_is_a_row(runs):
    """The same cells as where groups are rows, seeds included."""
    groups = runs.groups()
    rows, columns = overall_table(groups, runs.arms), group_table(groups, runs.arms)
    over_all = [columns.rows[0], *columns.rows[1 : 1 + len(groups.overall())]]
    for place, row in enumerate(rows.rows, start=1):
        assert row[1:-1] == [cells[place] for cells in over_all]
        assert row[-1] == worst_group(groups, runs.arms[place - 1])
    assert rows.has_seeds


def links_of(page):
    return set(re.findall(r'href="#([^"]+)"', page))


def anchors_of(page):
    return set(re.findall(r' id="([^"]+)"', page))


def test_advice_for_the_worst_group(tmp_path):
    search = LRSearch(
        training=TrainingConfig(epochs=4, batch_size=32),
        learning_rates=(0.01, 0.1, 1.0),
        shorter_plateaus=(),
        noise=0.0,
        rungs=1,
        seeds=3,
        target="worst_group",
        range_test=False,
    )
    advice = run_advise(search, tmp_path, task=make_task(), execution=QUIET)
    assert advice.score == "worst_group_accuracy"
    groups = TaskResults(advice.folders).groups()
    best = advice.arms[advice.arm(advice.best())]
    arm = next(
        a
        for a in groups.results.arms
        if groups.results.labels(a)["learning_rate.initial"] == f"{advice.best():g}"
    )
    assert best == groups.results.final(arm, "validation", "worst_group_accuracy")
    assert advice.tolerance == 0.01
    page = (tmp_path / "report.html").read_text()
    assert page.index("Groups by domain") < page.index("Final score by learning rate")
    assert "worst-group accuracy; 4 epochs" in page
    assert links_of(page) <= anchors_of(page)
    assert "stopped by their scores" not in page  # a race with a single look


def test_a_race_says_that_the_intervals_of_groups_are_not_corrected_for_it(tmp_path):
    search = LRSearch(
        training=TrainingConfig(epochs=4),
        learning_rates=(0.01, 0.1, 1.0),
        shorter_plateaus=(),
        noise=0.0,
        rungs=1,
        seeds=4,
        range_test=False,
    )
    run_advise(search, tmp_path, task=make_task(), execution=QUIET)
    page = (tmp_path / "report.html").read_text()
    assert page.count("stopped by their scores") == 1  # in the section on groups only


def test_runs_that_have_not_begun_do_not_decide_what_all_are_judged_by(tmp_path):
    with register_task(Task(lambda: nn.Linear(2, 2), DATA)) as given:
        config = config_of(given, epochs=1)
        (begun,) = run_plans({"begun": Plan(config, {"arm": "a"})}, tmp_path, QUIET, here=True)
        pending = RunFolder.create(tmp_path / "pending", replace(config, seed=1), {"arm": "a"})
        for folders in ([pending, begun], [begun, pending]):
            assert TaskResults(folders).evaluated == "validation"


def test_with_a_planted_pattern_groups_are_measured_without_it(tmp_path):
    drawing = torch.Generator().manual_seed(0)
    x, labels = torch.rand(120, 3, 8, 8, generator=drawing), torch.arange(120) % 2
    groups = Groups(["a", "a", "b", "b"] * 30)
    task = Task(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(192, 2)),
        TensorDataset(x, labels),
        groups=groups,
        planter=ImagePlanter(size=3),
    )
    with register_task(task) as given:
        config = replace(config_of(given, epochs=1), pattern=PatternConfig(eligible_share=0.8))
        results = TaskResults(
            run_plans({"run": Plan(config, {"arm": "planted"})}, tmp_path, QUIET, here=True)
        )
    groups = results.groups()
    assert groups.evaluated == "clean"
    measured = results.frame().query("set == 'clean' and group == 'b, class 1'")
    (accuracy,) = measured.query("quantity == 'accuracy'")["value"]
    (arm,) = results.arms
    assert groups.final(arm, "b, class 1").mean == accuracy
    reliance = results.frame().query("quantity == 'reliance'")
    assert set(reliance["set"]) == {"clean", "conflict"}


def test_targets_that_need_groups_are_refused_before_anything_runs(tmp_path):
    data, domains = shortcut()
    plain = Task(lambda: nn.Linear(2, 2), data)
    search = LRSearch(target="worst_group")
    with pytest.raises(ConfigError, match="no known groups"):
        run_advise(search, tmp_path / "none", task=plain, execution=QUIET)
    with pytest.raises(ConfigError, match="no known groups"):
        run_advise(search, tmp_path / "none", execution=QUIET)
    alone = replace(plain, groups=Groups(domains, spurious=False))
    with pytest.raises(ConfigError, match="not spurious"):
        run_advise(
            replace(search, target="reliance"), tmp_path / "none", task=alone, execution=QUIET
        )
    assert not (tmp_path / "none").exists()
