"""Known groups of images: where attributes are found, what is measured, refused and advised."""

import hashlib
import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from learnorder import LRSearch, run_advise, write_report
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
)
from learnorder.config.training import TrainingConfig
from learnorder.data import load_images, load_unseen
from learnorder.data.image_groups import RESERVED
from learnorder.data.sources import load_source
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.images.backend import identify, run
from learnorder.patterns import Group
from learnorder.retrain.last_layer import retrain_last_layer
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.judged import final_score
from learnorder.runs.opening import open_runs
from learnorder.runs.results import Results
from learnorder.schedules import Schedule
from learnorder.training.image_problem import image_trainer
from tests.test_groups import rows

from .test_processes import both, close

QUIET = Execution(workers=1, quiet=True)
CLASSES = ("cow", "dog")


def coloured(n=240, agreement=0.8, seed=0):
    """Pictures of two classes (a noisy bright half) in a colour that mostly says the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 2
    blue = np.where(rng.random(n) < agreement, labels, 1 - labels)
    grey = rng.integers(60, 140, (n, 4, 4))
    grey[:, :, :2] += (60 * labels)[:, None, None].astype(grey.dtype)
    pixels = np.zeros((n, 4, 4, 3), np.uint8)
    pixels[np.arange(n), :, :, 2 * blue] = grey
    return pixels, labels, np.array(["red", "blue"])[blue]


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def write_parquet(path, n=240, seed=0, values=None, **columns):
    """Write a split as the hub does: images with their bytes, labels and an attribute."""
    pixels, labels, colour = coloured(n, seed=seed)
    images = [{"bytes": png(image), "path": None} for image in pixels]
    columns = {
        "image": images,
        "label": [CLASSES[label] for label in labels],
        "colour": list(colour) if values is None else values,
        **columns,
    }
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A Parquet folder with both splits."""
    folder = tmp_path_factory.mktemp("parquet")
    write_parquet(folder / "train.parquet")
    write_parquet(folder / "test.parquet", 120, seed=1)
    return f"parquet:{folder}"


def config_of(data, seed=0, rate=0.02, epochs=3, **fields):
    training = TrainingConfig(epochs=epochs, batch_size=16, weight_decay=0.0)
    model = ModelConfig("MLP", {"widths": (16,)})
    return RunConfig(
        data, model, training=training, learning_rate=Schedule(rate), seed=seed, **fields
    )


def trained(config, data):
    trainer = image_trainer(config, data)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def known(loaded):
    """The group of each training and evaluation image, by its pixels."""
    codes = loaded.groups.train, loaded.groups.evaluation
    images = loaded.train, loaded.evaluation
    return {
        image.numpy().tobytes(): loaded.groups.names[code]
        for part, of_part in zip(images, codes, strict=True)
        for image, code in zip(part.pixels, of_part.tolist(), strict=True)
    }


def test_groups_are_the_colours_within_each_class(source):
    data = load_images(DataConfig(source, group_column="colour"))
    assert set(data.groups.names) == {f"{c}, {k}" for c in ("red", "blue") for k in CLASSES}
    found = known(data)
    for seed, n in ((0, 240), (1, 120)):
        for image, label, colour in zip(*coloured(n, seed=seed), strict=True):
            assert found[image.tobytes()] == f"{colour}, {CLASSES[label]}"
    _, labels, colours = coloured(120, seed=1)
    aligned = torch.from_numpy((colours == "blue") == labels)
    assert data.groups.aligned.sum() == aligned.sum()
    alone = load_images(DataConfig(source, group_column="colour", spurious=False)).groups
    assert alone.names == ("blue", "red")
    assert alone.aligned is None


def test_subsets_and_splits_have_the_shares_of_each_group(source):
    rare = DataConfig(
        source, group_column="colour", train_examples=60, evaluate_on="validation",
        validation_share=0.25,
    )  # fmt: skip
    _, labels, colours = coloured()
    whole = pd.Series([f"{c}, {CLASSES[k]}" for c, k in zip(colours, labels, strict=True)])
    shares = whole.value_counts(normalize=True)
    for name, (train, held_out) in load_images(rare).groups.sizes().items():
        assert abs(train - 60 * shares[name]) <= 1
        assert abs(held_out - 60 * shares[name]) <= 1


def test_what_is_measured_of_each_group_agrees_with_the_predictions(source):
    config = config_of(DataConfig(source, group_column="colour"))
    data = load_images(config.data)
    trainer = trained(config, data)
    clean = trainer.problem.sets[0]
    logits = torch.cat(
        [trainer.network(b.images) for b in trainer.problem.batches.evaluation(clean)]
    )
    correct = (logits.argmax(1) == data.evaluation.labels).numpy()
    losses = torch.nn.functional.cross_entropy(logits, data.evaluation.labels, reduction="none")
    found = known(data)
    names = [found[image.numpy().tobytes()] for image in data.evaluation.pixels]
    expected = pd.Series(correct).groupby(names).mean().to_dict()
    last = rows(trainer, epoch=3, set="clean", quantity="accuracy")
    assert {r["group"]: r["value"] for r in last if r["group"] != "all"} == pytest.approx(expected)
    of_losses = rows(trainer, epoch=3, set="clean", quantity="loss")
    expected_losses = pd.Series(losses.detach().numpy()).groupby(names).mean().to_dict()
    assert {r["group"]: r["value"] for r in of_losses if r["group"] != "all"} == pytest.approx(
        expected_losses
    )
    (worst,) = rows(trainer, epoch=3, set="clean", quantity="worst_group_accuracy")
    (gap,) = rows(trainer, epoch=3, set="clean", quantity="accuracy_gap")
    assert worst["value"] == pytest.approx(min(expected.values()))
    assert gap["value"] == pytest.approx(correct.mean() - worst["value"])
    by_class = []
    for kind, suggested in (("cow", "red"), ("dog", "blue")):
        other = "blue" if suggested == "red" else "red"
        by_class.append(expected[f"{suggested}, {kind}"] - expected[f"{other}, {kind}"])
    (reliance,) = rows(trainer, set="clean", epoch=3, quantity="reliance")
    assert reliance["value"] == pytest.approx(np.mean(by_class))
    assert reliance["value"] > 0.3
    assert (reliance["group"], reliance["examples"]) == ("all", 120)


def test_training_accuracies_of_groups_are_those_of_all(source):
    config = config_of(DataConfig(source, group_column="colour"))
    trainer = trained(config, load_images(config.data))
    listed = {r["group"]: r for r in rows(trainer, epoch=2, set="train", quantity="accuracy")}
    groups = [listed[name] for name in load_images(config.data).groups.names]
    assert sum(r["examples"] for r in groups) == listed["all"]["examples"] == 240
    right = sum(r["examples"] * r["value"] for r in groups)
    assert right == pytest.approx(240 * listed["all"]["value"])


def test_the_pattern_and_the_attribute_have_a_reliance_each(source):
    patch = PatchConfig(eligible_share=0.8, size=2, contrast=1.0)
    config = config_of(DataConfig(source, group_column="colour"), patch=patch)
    trainer = trained(config, load_images(config.data))
    values = {r["set"]: r["value"] for r in rows(trainer, epoch=3, quantity="reliance")}
    assert set(values) == {"clean", "conflict"}
    assert values["clean"] != values["conflict"]
    assert {r["group"] for r in rows(trainer, epoch=3, set="conflict")} == {"all"}
    shown = {r["group"] for r in rows(trainer, epoch=3, set="train", quantity="share")}
    assert shown == {"all", "clean", "patch_only", "both"}


def test_groups_change_nothing_else_and_continue_to_the_byte(source):
    """Measuring groups of images in the same order trains the same network."""
    config = config_of(DataConfig(source, group_column="colour"))
    data = load_images(config.data)
    whole, plain = trained(config, data), trained(config, replace(data, groups=None))
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, plain.network.state_dict()[name])
    names = {"all", "clean"}
    assert [r for r in rows(whole) if r["group"] in names and "group" not in r["quantity"]
            and r["quantity"] not in ("accuracy_gap", "reliance")] == rows(plain)  # fmt: skip
    stopped = image_trainer(config, data)
    steps = iter(range(100))
    assert stopped.run(lambda _: next(steps) == 20, lambda _: None).status == "interrupted"
    continued = image_trainer(config, data, stopped.state())
    continued.run(lambda _: False, lambda _: None)
    assert continued.records.columns == whole.records.columns
    assert plain.state()["tally"].shape == (3, 3)  # as in checkpoints of older versions


def test_without_a_column_the_splits_are_those_of_the_classes(source):
    raw = load_source(DataConfig(source))
    assert raw.attributes is None
    assert torch.equal(
        stratified_order(raw.strata("train"), 3), stratified_order(raw.train_labels, 3)
    )


@pytest.mark.slow
def test_two_processes_measure_the_same(source, tmp_path):
    alone, shared = both(config_of(DataConfig(source, group_column="colour")), tmp_path)
    close(alone, shared)
    measured = alone.records().to_pandas()
    assert "red, dog" in set(measured["group"])


# where attributes are found


def write_folder(root, metadata=True, splits=("",), n=60):
    """Write class folders, and the rows of their metadata by split."""
    listed = {}
    for seed, split in enumerate(splits):
        lines = []
        for i, (image, label, colour) in enumerate(zip(*coloured(n, seed=seed), strict=True)):
            path = root / split / CLASSES[label] / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path)
            lines.append({"file_name": str(path.relative_to(root / split)), "colour": colour})
        listed[split] = pd.DataFrame(lines)
        if metadata:
            listed[split].to_csv(root / split / "metadata.csv", index=False)
    return listed


def expect_colours(data, seeds=(0,), n=60):
    found = known(data)
    for seed in seeds:
        for image, label, colour in zip(*coloured(n, seed=seed), strict=True):
            assert found[image.tobytes()] == f"{colour}, {CLASSES[label]}"


def test_class_folders_have_their_attribute_in_a_file(tmp_path):
    write_folder(tmp_path)
    data = load_images(config := DataConfig(f"folder:{tmp_path}", group_column="colour"))
    expect_colours(data)
    assert sum(data.groups.sizes()["red, cow"]) > 10
    assert data.skipped == {}
    assert load_images(replace(config, group_column=None)).skipped == {
        "outside the class folders": 1
    }


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_split_folders_have_a_file_each_or_one_for_all(tmp_path, kind):
    listed = write_folder(tmp_path, False, ("train", "test"))
    config = DataConfig(f"folder:{tmp_path}", group_column="colour")
    whole = pd.concat([
        frame.assign(file_name=f"{split}/" + frame["file_name"]) for split, frame in listed.items()
    ])  # fmt: skip

    def write(frame, folder):
        if kind == "csv":
            frame.to_csv(folder / "metadata.csv")
        else:
            frame.to_parquet(folder / "metadata.parquet")

    extra = pd.DataFrame([{"file_name": "train/cow/none.png", "colour": "red"}])
    write(pd.concat([whole, extra]), tmp_path)
    one = load_images(config)
    expect_colours(one, (0, 1))
    assert one.skipped == {f"rows of metadata.{kind} without an image": 1}
    (tmp_path / f"metadata.{kind}").unlink()
    for split, frame in listed.items():
        write(frame, tmp_path / split)
    each = load_images(config)
    assert torch.equal(each.groups.train, one.groups.train)
    assert torch.equal(each.groups.evaluation, one.groups.evaluation)


def two_rows(frame):
    return pd.concat([frame, frame[:1]])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (two_rows, DataError, r"file_name cow/0.png has several rows"),
        (lambda f: f[1:], DataError, r"1 of 60 images.*is cow/0.png"),
        (lambda f: f.assign(file_name="x/" + f["file_name"]), DataError, "60 of 60 images"),
        (lambda f: f.assign(colour=[None, *f["colour"][1:]]), ConfigError, r"missing for .*0.png"),
        (lambda f: f.assign(colour="red"), ConfigError, "All examples have this one value"),
        (lambda f: f.assign(colour=range(len(f))), ConfigError, "image is in this group"),
        (lambda f: f.assign(colour=np.arange(len(f)) / 7), ConfigError, "bins of a number"),
        (lambda f: f.rename(columns={"colour": "colours"}), ConfigError, "Did you mean colours"),
        (lambda f: f.rename(columns={"file_name": "path"}), ConfigError, "file_name"),
    ],
)  # fmt: skip
def test_metadata_that_do_not_fit_are_refused(tmp_path, change, error, words):
    frame = write_folder(tmp_path, metadata=False)[""]
    config = DataConfig(f"folder:{tmp_path}", group_column="colour")
    with pytest.raises(ConfigError, match=r"no metadata.csv or metadata.parquet.*cow/0.png"):
        load_images(config)
    change(frame).to_csv(tmp_path / "metadata.csv", index=False)
    with pytest.raises(error, match=words):
        load_images(config)


def test_two_files_for_the_same_images_are_refused(tmp_path):
    frame = write_folder(tmp_path)[""]
    frame.to_parquet(tmp_path / "metadata.parquet")
    config = DataConfig(f"folder:{tmp_path}", group_column="colour")
    with pytest.raises(DataError, match=r"metadata.csv, metadata.parquet describe the same images"):
        load_images(config)


def test_another_attribute_in_a_file_is_another_run(tmp_path):
    frame = write_folder(tmp_path)[""]
    config = config_of(DataConfig(f"folder:{tmp_path}", group_column="colour"))
    plain = replace(config, data=DataConfig(f"folder:{tmp_path}"))
    before = identify([config])
    assert identify([config]) == before
    changed = frame.assign(colour=frame["colour"].map({"red": "rot", "blue": "blue"}))
    changed["colour"] = [c if c == "blue" else "rod" for c in changed["colour"]]  # of the same size
    changed.to_csv(tmp_path / "metadata.csv", index=False)
    assert identify([config]) != before
    assert set(identify([plain])[0]) == set(before[0]) - {"metadata of data.source"}


def triples():
    return coloured(120), coloured(80, seed=1)


def triple():
    pixels, labels, colours = coloured(120)
    return list(map(Image.fromarray, pixels)), [CLASSES[k] for k in labels], list(colours)


def pair():
    return coloured(120)[:2]


def too_few():
    pixels, labels, colours = coloured(120)
    return pixels, labels, colours[:-1]


def three_images():
    """Lists of three images and labels, for each split; not triples."""
    return [np.full((4, 4), v, np.uint8) for v in (1, 9, 2)], [0, 1, 0]


def of_function(name, **fields):
    return load_images(DataConfig(f"function:{__name__}.{name}", **fields))


def test_functions_return_the_attribute_as_a_third_part():
    data = of_function("triples", group_column="colour")
    assert set(data.groups.names) == {
        f"{c}, {label}" for c in ("red", "blue") for label in ("0", "1")
    }
    assert (len(data.groups.train), len(data.groups.evaluation)) == (120, 80)
    expect_colours(of_function("triple", group_column="colour"), n=120)
    assert len(of_function("pair").train) == 96
    raw = load_source(DataConfig(f"function:{__name__}.three_images"))
    assert len(raw.train_labels) + len(raw.test_labels) == 3


@pytest.mark.parametrize(
    ("name", "column", "error", "words"),
    [
        ("triples", None, ConfigError, "returns groups too"),
        ("triple", None, ConfigError, "returns groups too"),
        ("pair", "colour", ConfigError, "returns no groups"),
        ("too_few", "colour", DataError, "120 images and 119 groups"),
    ],
)
def test_functions_with_other_parts_are_refused(name, column, error, words):
    with pytest.raises(error, match=words):
        of_function(name, group_column=column)


def test_class_labels_of_the_hub_are_their_names(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Value
    from datasets import Image as Pictures

    pixels, labels, colours = coloured(120)
    features = Features({
        "image": Pictures(), "label": ClassLabel(names=list(CLASSES)),
        "colour": ClassLabel(names=["red", "blue"]), "id": Value("int64"),
    })  # fmt: skip
    columns = {
        "image": list(map(Image.fromarray, pixels)),
        "label": labels.tolist(),
        "colour": (colours == "blue").astype(int).tolist(),
        "id": list(range(120)),
    }
    split = Dataset.from_dict(columns, features)
    split.to_parquet(str(tmp_path / "train.parquet"))
    data = load_images(
        DataConfig(f"parquet:{tmp_path}", label_column="label", group_column="colour")
    )
    expect_colours(data, n=120)


def test_columns_that_do_not_fit_are_refused(source, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean colour") as refused:
        load_images(DataConfig(source, group_column="color"))
    assert refused.value.field == "data.group_column"
    colours = list(coloured()[2])
    write_parquet(tmp_path / "train.parquet", values=[*colours[:7], None, *colours[8:]])
    with pytest.raises(ConfigError, match="missing for row 7 of"):
        load_images(DataConfig(f"parquet:{tmp_path}", group_column="colour"))
    write_parquet(tmp_path / "train.parquet", values=list(range(240)))
    with pytest.raises(ConfigError, match="240 different values"):
        load_images(DataConfig(f"parquet:{tmp_path}", group_column="colour"))
    with pytest.raises(ConfigError, match="Digits have no attributes"):
        load_images(DataConfig(group_column="colour"))
    with pytest.raises(ConfigError, match=r"data.group_column too"):
        DataConfig(spurious=False)
    with pytest.raises(ConfigError, match="name of a column"):
        DataConfig(group_column="")


def test_names_that_records_use_otherwise_are_refused(tmp_path):
    assert set(RESERVED) == {"all", *(group.label for group in Group)}
    values = ["clean" if c == "red" else "noisy" for c in coloured()[2]]
    write_parquet(tmp_path / "train.parquet", values=values)
    config = DataConfig(f"parquet:{tmp_path}", group_column="colour", spurious=False)
    with pytest.raises(ConfigError, match="Records use this name otherwise"):
        load_images(config)
    assert len(load_images(replace(config, spurious=True)).groups.names) == 4


def test_groups_that_a_subset_or_split_leaves_out_are_refused_with_the_setting(tmp_path):
    """Two images of the training split have a colour of their own, one of each class."""
    colours = coloured()[2].tolist()
    write_parquet(tmp_path / "train.parquet", values=["gold", "gold", *colours[2:]])
    write_parquet(
        tmp_path / "test.parquet", 120, 1, values=["gold", "gold", *coloured(120, seed=1)[2][2:]]
    )
    config = DataConfig(f"parquet:{tmp_path}", group_column="colour")
    assert load_images(config).groups.sizes()["gold, cow"] == (1, 1)

    def refuse(field, words, **fields):
        with pytest.raises(ConfigError, match=words) as refused:
            load_images(replace(config, **fields))
        assert refused.value.field == field

    refuse("data.train_examples", "Increase data.train_examples", train_examples=20)
    refuse("data.evaluation_examples", "Increase", evaluation_examples=20)
    validation = {"evaluate_on": "validation", "validation_share": 0.1}
    refuse("data.validation_share", "(In|De)crease data.validation_share", **validation)
    write_parquet(tmp_path / "test.parquet", 120, seed=1)
    refuse("data.group_column", "No test image is in this group")
    write_parquet(tmp_path / "train.parquet")
    write_parquet(
        tmp_path / "test.parquet", 120, 1, values=["gold", "gold", *coloured(120, seed=1)[2][2:]]
    )
    refuse("data.group_column", "No training image is in this group")
    unseen = load_images(replace(config, allow_unseen=True)).groups
    assert {name for name, (trained, _) in unseen.sizes().items() if not trained} == {
        name for name in unseen.names if name.startswith("gold")
    }
    with pytest.raises(ConfigError, match="group_column"):
        DataConfig(allow_unseen=True)


def test_a_reliance_that_no_class_shows_is_refused(tmp_path):
    labels = ["a" if k == 0 else "b" for k in coloured()[1]]
    write_parquet(tmp_path / "train.parquet", values=labels)
    config = DataConfig(f"parquet:{tmp_path}", group_column="colour")
    with pytest.raises(ConfigError, match="could not be measured"):
        load_images(config)
    assert load_images(replace(config, spurious=False)).groups.names == ("a", "b")


# runs


@pytest.fixture(scope="module")
def runs(source, tmp_path_factory):
    """Two learning rates on two seeds."""
    data = DataConfig(source, group_column="colour")
    plans = {
        f"{rate}-{seed}": Plan(config_of(data, seed, rate), {"arm": f"LR {rate:g}"})
        for rate in (0.001, 0.02)
        for seed in range(2)
    }
    return Results(run_plans(plans, tmp_path_factory.mktemp("runs"), QUIET, here=True))


def test_results_have_the_groups(runs):
    groups = runs.groups()
    assert (groups.attribute, groups.score, groups.chance) == ("colour", "accuracy", 0.5)
    assert groups.overall() == ["worst_group_accuracy", "accuracy_gap", "reliance"]
    assert groups.evaluated == "clean"
    data = load_images(runs.folders[0].config.data)
    assert groups.sizes == data.groups.sizes()
    assert groups.final("LR 0.02", "red, dog").n == 2
    assert final_score(runs.folders[0], "reliance") == runs.folders[0].records().to_pandas().query(
        "set == 'clean' and quantity == 'reliance'"
    )["value"].iloc[-1]  # fmt: skip


def test_the_report_begins_with_the_groups(runs, tmp_path):
    write_report(runs, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert page.index("Groups by colour") < page.index("Over the epochs")
    assert "on evaluation images" in page
    assert "validation examples" not in page
    assert "reliance on the colour" in runs.findings()[0]
    assert not any("conflict" in sentence for sentence in runs.findings())


def test_runs_of_older_versions_have_no_groups(source, tmp_path):
    folder = RunFolder.create(tmp_path / "old", config_of(DataConfig(source), epochs=1), {})
    assert run(folder, lambda: False)[0] == "finished"
    described = folder.read_manifest()["data"]
    assert not {"attribute", "groups", "group_score", "spurious"} & set(described)
    assert Results([folder]).groups() is None
    digest = hashlib.sha256(repr(folder.records().to_pylist()).encode()).hexdigest()
    again = RunFolder.create(tmp_path / "again", config_of(DataConfig(source), epochs=1), {})
    run(again, lambda: False)
    assert hashlib.sha256(repr(again.records().to_pylist()).encode()).hexdigest() == digest


def test_advice_for_the_worst_group_of_images(source, tmp_path):
    data = DataConfig(source, group_column="colour", evaluate_on="validation", validation_share=0.4)
    search = LRSearch(
        data=data, model=ModelConfig("MLP", {"widths": (16,)}),
        training=TrainingConfig(epochs=3, batch_size=32), learning_rates=(0.001, 0.02),
        shorter_plateaus=(), noise=0.0, rungs=1, seeds=2, target="worst_group", range_test=False,
    )  # fmt: skip
    advice = run_advise(search, tmp_path / "search", execution=QUIET)
    assert advice.score == "worst_group_accuracy"
    groups = Results(advice.folders).groups()
    arm = next(
        a
        for a in groups.results.arms
        if groups.results.labels(a)["learning_rate.initial"] == f"{advice.best():g}"
    )
    best = advice.arms[advice.arm(advice.best())]
    assert best == groups.results.final(arm, "clean", "worst_group_accuracy")
    page = (tmp_path / "search" / "report.html").read_text()
    assert page.index("Groups by colour") < page.index("Final score by learning rate")
    if not advice.learned_nothing():
        assert any("on the worst group" in sentence for sentence in advice.findings())


def test_targets_that_need_groups_are_refused_before_anything_runs(source, tmp_path):
    data = DataConfig(source, evaluate_on="validation", validation_share=0.4)
    search = LRSearch(data=data, target="worst_group")
    with pytest.raises(ConfigError, match=r"no known groups.*data.group_column"):
        run_advise(search, tmp_path / "none", execution=QUIET)
    alone = replace(data, group_column="colour", spurious=False)
    with pytest.raises(ConfigError, match="not spurious"):
        run_advise(LRSearch(data=alone, target="reliance"), tmp_path / "none", execution=QUIET)
    assert not (tmp_path / "none").exists()


def test_images_of_known_groups_are_balanced_over_them(source, tmp_path):
    """The colour says the class in 80 % of the images, and brightness always does."""
    data = DataConfig(source, group_column="colour", train_examples=120)
    folder = RunFolder.create(tmp_path / "run", config_of(data, rate=0.02), {"arm": "small"})
    assert execute(folder) == "finished"
    found = retrain_last_layer(folder)
    loaded = load_images(data)
    for quantity in ("worst_group_accuracy", "accuracy_gap", "reliance"):
        name = quantity.replace("reliance", "attribute_reliance")
        value = open_runs(tmp_path).final("small", "clean", quantity)[0]
        assert getattr(found.before, name) == pytest.approx(value, abs=1e-6)
    assert found.group_balanced is not None
    after = found.retrained("group")
    assert after is not None
    # the unused images: their groups are those of the file, and the smallest sets the size
    images, groups = load_unseen(data, 5000)
    assert loaded.groups is not None
    assert groups is not None
    assert len(images) == 120
    blue = images.pixels.flatten(1, 2).sum(1).argmax(1) == 2
    said = [
        f"{'blue' if b else 'red'}, {CLASSES[y]}"
        for b, y in zip(blue.tolist(), images.labels.tolist(), strict=True)
    ]
    assert [loaded.groups.names[group] for group in groups.tolist()] == said
    assert found.group_balanced.examples == 4 * int(groups.bincount().min())
    before = found.before
    assert after.worst_group_accuracy is not None
    assert before.worst_group_accuracy is not None
    assert after.worst_group_accuracy > before.worst_group_accuracy + 0.5
    assert after.attribute_reliance is not None
    assert before.attribute_reliance is not None
    assert after.attribute_reliance < before.attribute_reliance - 0.5
    page = write_report(open_runs(tmp_path), tmp_path / "report.html").read_text()
    assert "retrained on equally many held-out images of each group: worst-group accuracy" in page
    assert "(n = 1; a verdict needs at least 3 seeds)" in page
    assert f"on {found.group_balanced.examples} of them, the same number of each group" in page
    assert "so the balance is not their only difference" in page


def test_a_group_without_enough_unused_images_is_named(source, tmp_path):
    data = DataConfig(source, group_column="colour", train_examples=236)
    folder = RunFolder.create(tmp_path / "run", config_of(data, epochs=1), {"arm": "small"})
    assert execute(folder) == "finished"
    found = retrain_last_layer(folder)
    assert found.retrained("group") is None
    assert found.group_balanced is not None
    assert "blue, cow (" in found.group_balanced.refused
    page = write_report(open_runs(tmp_path), tmp_path / "report.html").read_text()
    assert "needs at least 2 of these images of each: " in page


def test_without_unused_images_groups_are_those_of_the_training_images(source, tmp_path):
    config = config_of(DataConfig(source, group_column="colour", spurious=False), epochs=1)
    folder = RunFolder.create(tmp_path / "run", config, {"arm": "small"})
    assert execute(folder) == "finished"
    found = retrain_last_layer(folder)
    assert not found.unseen
    labels, groups = load_images(config.data).train.labels, load_images(config.data).groups
    assert groups is not None
    assert found.group_balanced is not None
    fewest = int((2 * groups.train + labels).bincount().min())
    assert found.group_balanced.examples == 4 * fewest, "of each colour and class"
    assert found.before.attribute_reliance is None
