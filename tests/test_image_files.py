"""Image files as people have them: what is trained on is what a viewer shows, or it is refused."""

import runpy
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learnorder.config.settings import DataConfig
from learnorder.data import load_images
from learnorder.data.class_folders import read_class_folders
from learnorder.data.rgb import Decoded, to_rgb
from learnorder.errors import DataError

MAKE = Path(__file__).parents[2] / "shared" / "cases" / "make.py"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Write the small folders that have gone wrong."""
    if not MAKE.exists():
        pytest.skip("the folder of small cases is not beside the project")
    out = tmp_path_factory.mktemp("cases")
    before, sys.argv = sys.argv, [str(MAKE), str(out)]
    try:
        runpy.run_path(str(MAKE), run_name="__main__")
    finally:
        sys.argv = before
    return out


def load(folder, **fields):
    return load_images(DataConfig(source=f"folder:{folder}", **fields))


def every(data):
    """Return the pixels of all images of a set, trained on or not."""
    return np.concatenate([data.train.pixels.numpy(), data.evaluation.pixels.numpy()])


def test_values_of_12_bits_in_files_of_16_are_refused_until_white_is_named(cases):
    with pytest.raises(DataError, match=r"2499 of 65535.*--data\.white, e\.g\. 4095"):
        load(cases / "sixteen_bit")
    data = load(cases / "sixteen_bit", white=4095)
    means = [float(data.train.pixels[data.train.labels == k].float().mean()) for k in (0, 1)]
    assert means == pytest.approx([900 / 4095 * 255, 2000 / 4095 * 255], rel=0.02)
    assert list(data.converted) == ["I;16, with 4095 as white"]


def test_values_of_16_bits_are_scaled(cases):
    pixels = every(load(cases / "sixteen_bit_full"))
    assert sorted(np.unique(pixels)) == list(range(256))


def test_floats_are_scaled_from_0_to_1(cases):
    pixels = every(load(cases / "float_tiff"))
    assert pixels.min() <= 1
    assert pixels.max() >= 254
    assert 120 < pixels.mean() < 135


@pytest.mark.parametrize("name", ["transparent", "palette_transparent"])
def test_what_is_transparent_is_white(cases, name):
    data = load(cases / name)
    assert (every(data) == 255).all()
    assert data.converted == {"transparent, composed on white": 40}


def test_images_are_turned_as_exif_says(cases):
    data = load(cases / "rotated")
    pixels = every(data)
    assert (pixels[:, :, :7] > 200).all()
    assert (pixels[:, :, 9:] < 50).all()
    assert data.converted == {"rotated according to EXIF": 40}


def test_cmyk_is_shown_as_a_viewer_does(cases):
    data = load(cases / "cmyk")
    assert (np.abs(every(data).astype(int) - [255, 0, 0]) < 10).all()
    assert data.converted == {"from CMYK": 40}


def test_of_several_frames_the_first_is_taken_and_counted(cases):
    assert load(cases / "animated").converted == {"first of several frames or pages": 40}


@pytest.mark.parametrize(
    ("name", "classes", "count"),
    [
        ("named_train", ("a", "b"), 40),
        ("class_train", ("bus", "car", "train"), 60),
        ("class_test", ("car", "test"), 40),
        ("metadata", ("a", "b"), 40),
        ("hidden", ("a", "b"), 40),
        ("unicode", ("a b'\"<i>", "größe", "犬"), 60),
    ],
)
def test_every_class_and_every_image_is_there(cases, name, classes, count):
    data = load(cases / name)
    assert data.class_names == classes
    assert len(data.train) + len(data.evaluation) == count


def test_what_is_left_out_is_counted(cases):
    assert load(cases / "metadata").skipped == {"outside the class folders": 1}
    assert load(cases / "hidden").skipped == {"hidden or system files": 3}


def test_splits_are_known_in_upper_case_too(cases):
    data = load(cases / "capital_splits")
    assert (len(data.train), len(data.evaluation)) == (20, 8)


def picture(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)
    return path


def test_folders_within_a_class_are_of_the_class(tmp_path):
    for path in ("ant/2020/1.png", "ant/2021/2.png", "bee/2020/1.png"):
        picture(tmp_path / path)
    found = read_class_folders(tmp_path, "folder:x")
    assert found.class_names == ("ant", "bee")
    assert Counter(label for _, label in found.splits["train"]) == {0: 2, 1: 1}


def test_a_folder_too_high_up_says_which_to_give(tmp_path):
    for path in ("photos/ant/1.png", "photos/bee/1.png"):
        picture(tmp_path / path)
    with pytest.raises(DataError, match=r"of one class, photos.*folder:x/photos"):
        read_class_folders(tmp_path, "folder:x")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["train/ant/1.png", "test/cat/1.png", "train/bee/1.png"], "has a class cat"),
        (["train/cat/1.png", "train/dog/1.png", "test/Cat/1.png"], "Did you mean cat"),
        (["train/1.png", "test/1.png"], "could be classes, or splits"),
        (["train/a/1.png", "Training/b/1.png"], "the same split twice"),
        (
            ["ant/1.heic", "bee/1.png"],
            r"no image in the class folder ant/.*1 not an image \(\.heic\)",
        ),
        (["1.png", "photos.zip"], "contains no folders"),
    ],
)
def test_what_can_be_read_in_two_ways_or_none_is_refused(tmp_path, files, message):
    for file in files:
        path = tmp_path / file
        if path.suffix == ".png":
            picture(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
    with pytest.raises(DataError, match=message):
        read_class_folders(tmp_path, "folder:x")


def test_links_are_followed_within_the_folder_and_refused_beyond(tmp_path):
    picture(tmp_path / "data" / "a" / "1.png")
    (tmp_path / "data" / "b").symlink_to("a")
    found = read_class_folders(tmp_path / "data", "folder:x")
    assert found.class_names == ("a", "b")
    (tmp_path / "data" / "c").symlink_to(tmp_path)
    with pytest.raises(DataError, match="c is a link to"):
        read_class_folders(tmp_path / "data", "folder:x")
    (tmp_path / "data" / "c").unlink()
    (tmp_path / "data" / "a" / "round").symlink_to(tmp_path / "data")
    read_class_folders(tmp_path / "data", "folder:x")


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "LA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"]
)
@pytest.mark.parametrize("size", [(1, 1), (5, 3)])
def test_every_mode_is_shown_or_refused(mode, size):
    decoded = Decoded()
    shown = to_rgb(Image.new(mode, size), decoded)
    assert (shown.mode, shown.size) == ("RGB", size)
    assert decoded.modes == {mode: 1}


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I", "F"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_deep_images_are_scaled_by_their_white(mode, share):
    white = 1.0 if mode == "F" else 65535
    kinds = {"F": np.float32, "I": np.int32, "I;16": np.uint16, "I;16B": ">u2"}
    values = np.full((3, 4), share * white).astype(kinds[mode])
    image = Image.frombytes(mode, (4, 3), values.tobytes())
    shown = np.asarray(to_rgb(image, Decoded()))
    assert (abs(shown.astype(int) - 255 * share) < 1).all()
    if mode in ("I", "F"):
        beyond = Image.frombytes(mode, (4, 3), (values + 2 * white).astype(kinds[mode]).tobytes())
        with pytest.raises(OSError, match=r"--data\.white"):
            to_rgb(beyond, Decoded())
