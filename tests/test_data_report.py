"""What a report says of the images as they were read: sizes, modes, repeats, and how they look."""

import base64
import io
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from learnorder import TrainingConfig
from learnorder.config.settings import DataConfig, ModelConfig, RunConfig
from learnorder.data import Images, load_images
from learnorder.data.images import count_repeated
from learnorder.data.samples import sample_images
from learnorder.images.backend import size_counts
from learnorder.images.data_table import data_section, reading_words
from learnorder.report.page import render
from learnorder.runs import RunFolder
from learnorder.runs.descriptions import ImagesDescription
from learnorder.runs.execute import execute
from learnorder.runs.results import Results
from learnorder.schedules import Schedule


def picture(seed: int, size=(8, 8), mode: str = "RGB") -> Image.Image:
    drawing = np.random.default_rng(seed)
    return Image.fromarray(drawing.integers(0, 256, (*size, 3), np.uint8)).convert(mode)


@pytest.fixture
def photos(tmp_path):
    """Two classes in two splits; of the test images two are trained on, one by another name."""
    folder = tmp_path / "photos"
    for split, seeds in (("train", range(12)), ("test", range(100, 106))):
        for seed in seeds:
            home = folder / split / ("cat" if seed % 2 else "dog")
            home.mkdir(parents=True, exist_ok=True)
            size = (8, 8) if seed % 3 else (12, 10)
            picture(seed, size, "L" if seed == 4 else "RGB").save(home / f"{seed}.png")
    picture(1).save(folder / "test" / "cat" / "again.png")
    picture(2).save(folder / "test" / "cat" / "renamed.png")  # a dog where it is trained on
    return folder


def ran(photos, path) -> Results:
    """Make a run of an epoch on the photos."""
    config = RunConfig(
        DataConfig(source=f"folder:{photos}", resolution=8),
        ModelConfig("MLP", {"widths": [4]}),
        training=TrainingConfig(epochs=1, batch_size=6),
        learning_rate=Schedule(0.1),
    )
    folder = RunFolder.create(path, config, {})
    assert execute(folder) == "finished"
    return Results([RunFolder(path)])


def test_the_report_shows_what_was_read(photos, tmp_path):
    results = ran(photos, tmp_path / "run")
    section = data_section(results)
    assert section is not None
    assert section.table is not None
    note = section.table.note
    assert "File sizes: 8×8 (14), 10×12 (6)." in note
    assert "File modes: 19 RGB, 1 L." in note
    assert "2 of the 8 evaluation images are pixel for pixel also in the training set; 1 of" in note
    page = render(results)
    assert ">Images by class</h2>" in page
    assert len(re.findall(r'<td><img src="data:image/png;base64,', page)) == 2 * 4


def test_the_gallery_has_the_pixels_that_are_trained_on(photos, tmp_path):
    results = ran(photos, tmp_path / "run")
    data = load_images(results.folders[0].config.data)
    gallery = data_section(results).gallery  # pyright: ignore[reportOptionalMemberAccess]
    assert gallery is not None
    assert gallery.columns == ["cat", "dog"]
    titles = [title for title, _ in gallery.rows]
    assert titles == ["training"] * 3 + ["evaluation"]
    for row, images in ((0, data.train), (3, data.evaluation)):
        for label, address in enumerate(gallery.rows[row][1]):
            shown = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
            first = images.pixels[images.labels == label][0].numpy()
            assert (np.asarray(shown) == first).all()


def test_a_report_of_a_run_without_the_sheet_says_what_it_has(photos, tmp_path):
    results = ran(photos, tmp_path / "run")
    folder = results.folders[0]
    data = {
        k: v for k, v in folder.read_manifest()["data"].items() if k not in ("shown", "repeated")
    }
    folder.update(data=data)
    section = data_section(Results([folder]))
    assert section is not None
    assert section.gallery is None
    assert section.table is not None
    assert "pixel for pixel" not in section.table.note


def test_large_images_are_small_on_the_sheet_and_classes_few():
    data = load_images(DataConfig(train_examples=100, resolution=200))
    samples = sample_images(data)
    assert samples.sheet.size == (10 * 64, 4 * 64)
    many = replace(data, class_names=tuple(map(str, range(500))))
    assert len(sample_images(many).columns) == 10


@pytest.mark.parametrize(
    ("repeated", "relabeled", "words"),
    [
        (None, 0, ""),
        (0, 0, "No evaluation image is pixel for pixel a training image."),
        (1, 0, "1 of the 50 evaluation images is pixel for pixel also in the training set. Remove"),
        (
            1200,
            2,
            "1,200 of the 50 evaluation images are pixel for pixel also in the training set; 2 of",
        ),
    ],
)
def test_repeats_in_words(repeated, relabeled, words):
    said = reading_words(
        ImagesDescription(2, (8, 8), 100, 50, repeated=repeated, relabeled=relabeled)
    )
    assert words in said
    assert ("pixel for pixel" in said) == (repeated is not None)


def test_sizes_are_few_in_words_and_all_are_counted():
    drawing = np.random.default_rng(0)
    sizes = Counter((int(w), int(h)) for w, h in drawing.integers(1, 30, (1000, 2)))
    found = size_counts(sizes)
    assert len(found) == 5
    assert sum(found.values()) == 1000


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
    st.lists(st.integers(0, 3), min_size=1, max_size=12),
)
def test_repeats_are_counted_as_by_comparing_all_with_all(train, evaluation):
    """Images are one of four, in memory of any layout; labels are their place modulo two."""

    def images(values):
        pixels = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(-1, 2, 2, 3)
        return Images(pixels, torch.arange(len(values)) % 2)

    pairs = [
        [(i % 2) == (k % 2) for k, theirs in enumerate(train) if theirs == ours]
        for i, ours in enumerate(evaluation)
    ]
    alike = [each for each in pairs if each]
    expected = (len(alike), sum(not any(each) for each in alike))
    assert count_repeated(images(train), images(evaluation)) == expected
