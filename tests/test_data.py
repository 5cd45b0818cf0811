"""Images from every source, and the refusals of unfit ones."""

import io
import socket
import struct
import threading
import time
import tracemalloc
import zlib

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from datasets.packaged_modules.parquet.parquet import Parquet
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from learnorder.config.settings import DataConfig
from learnorder.data import hub, load_images, stratified_order
from learnorder.data.images import CIFAR_MEAN, CIFAR_STD
from learnorder.data.sources import read_digits
from learnorder.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def picture(value, size=(6, 4)):
    """A grey image with one white corner."""
    pixels = np.full((size[1], size[0], 3), value, np.uint8)
    pixels[0, 0] = 255
    return Image.fromarray(pixels)


def encoded(image):
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def make_table(values, labels=None, size=(6, 4)):
    """A table in the hub's schema."""
    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["dark", "light"])}
    )
    labels = [int(v > 100) for v in values] if labels is None else labels
    rows = {"img": [encoded(picture(v, size)) for v in values], "label": labels}
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture
def parquet(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    make_table([10, 20, 200, 210]).to_parquet(folder / "train-00000.parquet")
    make_table([30, 220]).to_parquet(folder / "test.parquet")
    return folder


@pytest.fixture
def folder(tmp_path):
    for split, values in (("train", [10, 20, 200, 210]), ("test", [30, 220])):
        for value in values:
            place = tmp_path / "photos" / split / ("light" if value > 100 else "dark")
            place.mkdir(parents=True, exist_ok=True)
            picture(value).save(place / f"{value}.png")
    return tmp_path / "photos"


def check_pictures(data):
    assert data.class_names == ("dark", "light")
    assert data.train.pixels.shape == (4, 4, 6, 3)
    assert data.train.pixels.dtype == torch.uint8
    for images in (data.train, data.evaluation):
        for pixels, label in zip(images.pixels, images.labels, strict=True):
            assert (pixels[0, 0] == 255).all()
            assert int(pixels[1, 1, 0] > 100) == label
    assert sorted(data.train.pixels[:, 1, 1, 0].tolist()) == [10, 20, 200, 210]
    assert sorted(data.evaluation.pixels[:, 1, 1, 0].tolist()) == [30, 220]


def test_parquet(parquet):
    check_pictures(load_images(DataConfig(source=f"parquet:{parquet}")))


def test_rows_that_are_in_no_split_of_a_run_are_counted(parquet):
    make_table([30, 220]).to_parquet(parquet / "val.parquet")
    make_table([40]).to_parquet(parquet / "extra-00000.parquet")
    data = load_images(DataConfig(source=f"parquet:{parquet}"))
    check_pictures(data)
    assert data.skipped == {
        "in extra-00000.parquet, which is not named like a split": 1,
        "in the split validation, which is not used": 2,
    }
    (parquet / "test.parquet").unlink()
    assert len(load_images(DataConfig(source=f"parquet:{parquet}")).evaluation) == 2


def test_a_home_folder_is_read_as_a_local_copy_of_the_hub(parquet, monkeypatch):
    monkeypatch.setenv("HOME", str(parquet.parent))
    check_pictures(load_images(DataConfig(source="hub:~/set")))
    refuse("there is no such folder", "parquet:~no-such-user/set")


def test_folder(folder):
    check_pictures(load_images(DataConfig(source=f"folder:{folder}")))


def test_hub_code_on_a_local_dataset_repository(tmp_path):
    """The hub cannot be asked in a test; a folder laid out as one of its repositories can."""
    repository = tmp_path / "repository"
    for split, values in (("train", [10, 20, 200, 210]), ("test", [30, 220])):
        (repository / "data").mkdir(parents=True, exist_ok=True)
        make_table(values).to_parquet(repository / "data" / f"{split}-00000-of-00001.parquet")
    check_pictures(load_images(DataConfig(source=f"hub:{repository}")))


def test_a_folder_without_splits_holds_a_fifth_out(folder):
    for value in range(11, 17):
        picture(value).save(folder / "train" / "dark" / f"{value}.png")
    data = load_images(DataConfig(source=f"folder:{folder / 'train'}"))
    assert (len(data.train), len(data.evaluation)) == (8, 2)
    seen = torch.cat([data.train.pixels, data.evaluation.pixels])[:, 1, 1, 0]
    assert sorted(seen.tolist()) == [10, 11, 12, 13, 14, 15, 16, 20, 200, 210]


def test_digits():
    data = load_images(DataConfig())
    assert data.train.pixels.shape == (1200, 8, 8, 3)
    assert data.evaluation.pixels.shape == (597, 8, 8, 3)
    assert int(data.train.pixels.max()) == 255
    counts = data.train.labels.bincount()
    assert counts.max() - counts.min() <= 8


def test_normalisation_is_the_training_images_own():
    data = load_images(DataConfig())
    pixels = data.train.pixels.double() / 255
    assert data.mean == pytest.approx(pixels.mean((0, 1, 2)).tolist())
    assert data.std == pytest.approx(pixels.std((0, 1, 2), correction=0).tolist())


def test_cifar(cifar):
    data = load_images(cifar)
    assert data.train.pixels.shape == (200, 16, 16, 3)
    assert data.class_names[3] == "cat"
    assert (data.mean, data.std) == (CIFAR_MEAN, CIFAR_STD)
    assert data.train.labels.bincount().tolist() == [20] * 10


def test_cifar100_is_read_by_its_fine_labels(tmp_path):
    """In the hub's schema, img with fine_label and coarse_label, without naming the column."""
    names = {"fine_label": ["apple", "aquarium_fish", "baby"], "coarse_label": ["fruit", "animal"]}
    features = datasets.Features(
        {"img": datasets.Image(), **{n: datasets.ClassLabel(names=v) for n, v in names.items()}}
    )
    rows = {"img": [encoded(picture(v)) for v in (10, 20, 200)], "fine_label": [0, 1, 2]}
    table = datasets.Dataset.from_dict({**rows, "coarse_label": [0, 1, 1]}, features=features)
    for split in ("train", "test"):
        table.to_parquet(tmp_path / f"{split}.parquet")
    data = load_images(DataConfig(source=f"parquet:{tmp_path}"))
    assert data.class_names == tuple(names["fine_label"])
    assert sorted(data.train.labels.tolist()) == [0, 1, 2]
    assert data.mean == CIFAR_MEAN


def test_resolution_is_area_averaging(parquet):
    data = load_images(DataConfig(source=f"parquet:{parquet}", resolution=2))
    corner = sorted(data.train.pixels[:, 0, 0, 0].tolist())
    expected = [round((5 * v + 255) / 6) for v in (10, 20, 200, 210)]
    assert corner == pytest.approx(expected, abs=1)


def test_the_training_subset_does_not_depend_on_the_validation_split():
    plain = load_images(DataConfig(train_examples=600))
    held = DataConfig(train_examples=600, validation_share=0.25, evaluate_on="validation")
    validated = load_images(held)
    assert torch.equal(plain.train.pixels, validated.train.pixels)
    assert len(validated.evaluation) == 300
    rows = {tuple(row.flatten().tolist()) for row in validated.train.pixels}
    shared = sum(tuple(r.flatten().tolist()) in rows for r in validated.evaluation.pixels)
    assert shared == 0


@given(labels=st.lists(st.integers(0, 3), min_size=8, max_size=80), seed=st.integers(0, 5))
def test_stratified_order_is_a_permutation_with_even_stretches(labels, seed):
    values = torch.tensor(labels)
    order = stratified_order(values, seed)
    assert sorted(order.tolist()) == list(range(len(values)))
    half = len(values) // 2
    for value in values.unique():
        total, first = (values == value).sum(), (values[order[:half]] == value).sum()
        assert abs(first - total * half / len(values)) <= 4


# --- What is refused --------------------------------------------------------------------------


def refuse(match, source, error=DataError, **fields):
    with pytest.raises(error, match=match):
        load_images(DataConfig(source=source, **fields))


def test_sources_of_unknown_form():
    refuse("Give digits, hub:NAME", "imagenet", ConfigError)
    refuse("Give digits, hub:NAME", "parquet:", ConfigError)


def test_missing_folders(tmp_path):
    refuse("no such folder", f"parquet:{tmp_path / 'nowhere'}")
    refuse("no such folder", f"folder:{tmp_path / 'nowhere'}")
    refuse(r"no train\*.parquet", f"parquet:{tmp_path}")
    refuse("contains no folders", f"folder:{tmp_path}")


def test_a_hub_name_that_is_not_there(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    refuse("HF_HUB_OFFLINE is set.*parquet:DIR", "hub:no-such-owner/no-such-set")


def test_a_cache_of_the_hub_that_cannot_be_written(tmp_path, monkeypatch):
    for split in ("train", "test"):
        make_table([10, 200]).to_parquet(tmp_path / f"{split}.parquet")
    (tmp_path / "file").touch()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "file" / "datasets")
    refuse("copies are kept in .*file/datasets, .*Set the .*HF_HOME", f"hub:{tmp_path}")


def fill_cache(name):
    """Put a data set of the hub into the cache, as opening it online does."""
    owner, _, short = name.partition("/")
    cache = datasets.config.HF_DATASETS_CACHE
    files = {split: str(cache.parent / f"{split}.parquet") for split in ("train", "test")}
    for split, values in (("train", [10, 20, 200, 210]), ("test", [30, 220])):
        make_table(values).to_parquet(files[split])
    builder = Parquet(dataset_name=short, data_files=files, cache_dir=str(cache))
    place = cache / f"{owner}___{short}" / "default" / "0.0.0" / ("0" * 40)
    builder.download_and_prepare(str(place))


def no_answers(address):
    return False


def test_what_is_in_the_cache_opens_without_the_hub(monkeypatch):
    """By the switch, and where nothing answers; the client then asks nothing either."""
    fill_cache("some-owner/some-set")
    monkeypatch.setattr("learnorder.data.hub.answers", no_answers)
    monkeypatch.setattr("socket.socket.connect", None)
    for switched in (False, True):
        if switched:
            monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
        check_pictures(load_images(DataConfig(source="hub:some-owner/some-set")))
    assert not datasets.config.HF_HUB_OFFLINE


def test_a_hub_that_cannot_be_reached_is_said_at_once(monkeypatch):
    monkeypatch.setattr("learnorder.data.hub.answers", no_answers)
    started = time.monotonic()
    refuse("huggingface.co cannot be reached.*no copy in the cache", "hub:no-owner/no-set")
    assert time.monotonic() - started < 3
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("learnorder.data.hub.answers", None)  # it is not asked
    refuse("HF_HUB_OFFLINE is set", "hub:no-owner/no-set")


def test_whether_a_server_answers(monkeypatch):
    """Any answer is one; silence, and nothing at the address, are none."""
    for status, expected in (("200 OK", True), ("404 Not Found", True)):
        with socket.create_server(("127.0.0.1", 0)) as server:
            threading.Thread(target=answer_once, args=(server, status), daemon=True).start()
            assert hub.answers(f"http://127.0.0.1:{server.getsockname()[1]}") == expected
    monkeypatch.setattr(hub, "_ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not hub.answers(f"http://127.0.0.1:{server.getsockname()[1]}")
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert not hub.answers(address)
    assert not hub.answers("nonsense")
    monkeypatch.setattr("socket.getaddrinfo", find_nothing_slowly)
    started = time.monotonic()
    assert not hub.answers("http://nowhere.invalid")
    assert time.monotonic() - started < 1


def find_nothing_slowly(*args, **kwargs):
    time.sleep(2)
    raise socket.gaierror


def answer_once(server, status):
    connection, _ = server.accept()
    with connection:
        connection.recv(1000)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())


@pytest.mark.parametrize("name", ["glob[1]*?", "two\nlines", "{a,b}", "-x", "#1%20"])
def test_folders_of_any_name(folder, parquet, name):
    """None is taken for a pattern: x1, which matches x[1], is left alone."""
    (folder.parent / name).mkdir()
    (folder.parent / name.replace("[1]*?", "1zz")).mkdir(exist_ok=True)
    for source, place in (("folder", folder), ("parquet", parquet)):
        moved = folder.parent / name / source
        place.rename(moved)
        check_pictures(load_images(DataConfig(source=f"{source}:{moved}")))


@pytest.mark.parametrize(
    ("source", "name"),
    [("hub", "x[1]"), ("hub", "*")],
)
def test_folders_whose_names_would_be_taken_for_others_are_refused(folder, source, name):
    folder.rename(folder.parent / name)
    refuse("its path contains .* Rename or move the folder", f"{source}:{folder.parent / name}")


@pytest.mark.parametrize("name", ["$HOME", "a::b", "\udcff", "x[1]*"])
def test_class_folders_may_have_any_name(folder, name):
    moved = folder.rename(folder.parent / name)
    check_pictures(load_images(DataConfig(source=f"folder:{moved}")))


def test_parquet_files_in_a_folder_that_is_not_utf8(parquet):
    moved = parquet.rename(parquet.parent / "\udcff")
    check_pictures(load_images(DataConfig(source=f"parquet:{moved}")))


def test_a_damaged_parquet_file(parquet):
    (parquet / "test.parquet").write_bytes(b"PAR1 not really")
    refuse("test.parquet.*could not be read", f"parquet:{parquet}")


def test_a_corrupt_image_is_named(folder):
    (folder / "train" / "dark" / "20.png").write_bytes(b"no image")
    refuse(r"dark.20\.png: not a readable image", f"folder:{folder}")


def bomb(side):
    """A PNG of side × side white pixels, a row repeated: small on disk, huge in memory."""

    def chunk(kind, content):
        check = zlib.crc32(kind + content).to_bytes(4, "big")
        return len(content).to_bytes(4, "big") + kind + content + check

    header = side.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])  # one bit a pixel
    row = b"\0" + b"\xff" * (-(-side // 8))
    packer = zlib.compressobj()
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_bomb_is_named_and_not_unpacked(folder):
    """A third of a megabyte on disk, a thousand times as much in memory: 2.7 GB as RGB."""
    path = folder / "train" / "dark" / "20.png"
    path.write_bytes(bomb(30_000))
    assert path.stat().st_size < 400_000
    tracemalloc.start()
    refuse(r"dark.20\.png: too large \(.*\); the limit is 64,000,000 pixels",
           f"folder:{folder}", resolution=8)  # fmt: skip
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_a_bomb_below_the_decoder_s_own_limit_is_refused_too(folder):
    (folder / "train" / "dark" / "20.png").write_bytes(bomb(8_001))
    refuse(r"20\.png: too large \(8,001×8,001 are 64,016,001 pixels\)", f"folder:{folder}")


def damaged(name):
    raise {"struct": struct.error, "value": ValueError, "index": IndexError}[name]("odd")


def test_whatever_a_decoder_raises_names_the_image(folder, monkeypatch):
    for name in ("struct", "value", "index"):
        monkeypatch.setattr(Image.Image, "convert", lambda *args, name=name: damaged(name))
        refuse(r"\.png: not a readable image \(odd\)", f"folder:{folder}")


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr("learnorder.config.memory.available_memory", lambda: 100_000)


def test_images_that_exceed_the_memory_are_refused(folder, parquet, little_memory):
    """With their sizes, before they are decoded or the array is made."""
    refuse(
        r"4 images of 1,000×1,000 pixels take 12 MB of memory, and 100 kB are free.*"
        r"--data.resolution.*--data.train_examples",
        f"folder:{folder}",
        resolution=1000,
    )
    refuse("3,000,000,000,000.0 TB|TB of memory", f"folder:{folder}", resolution=10**9)
    for path in folder.glob("*/*/*.png"):
        picture(int(path.stem), (200, 100)).save(path)
    refuse("4 images of 200×100 pixels take 240 kB", f"folder:{folder}")
    with pytest.raises(DataError, match="10 images of 100×100 pixels take"):
        from_function((np.zeros((20, 100, 100), np.uint8), [0, 1] * 10), resolution=100,
                      train_examples=10)  # fmt: skip


def test_parquet_files_that_exceed_the_memory_are_refused(parquet, monkeypatch):
    """By what their metadata say, and by what they turn out to hold."""
    source = f"parquet:{parquet}"
    rows = pa.table({"img": pa.nulls(10**6), "label": pa.array(np.zeros(10**6, np.int8))})
    pq.write_table(rows, parquet / "train-00000.parquet")
    monkeypatch.setattr("learnorder.config.memory.available_memory", lambda: 5_000_000)
    refuse(r"the split of train-00000.parquet take 8 MB of memory, and 5 MB are free", source)
    repeated = pa.table({"img": [b"x" * 100_000] * 1000, "label": [0, 1] * 500})
    pq.write_table(repeated, parquet / "train-00000.parquet")
    assert (parquet / "train-00000.parquet").stat().st_size < 200_000
    refuse(r"the split of train-00000.parquet take 100 MB", source)


@pytest.mark.parametrize("path", ["../secret.png", "/secret.png", "inner/../../secret.png"])
def test_a_path_that_leaves_the_folder_is_refused(parquet, path):
    """Rows of a Parquet file may name files in place of holding them: those of its folder only."""
    picture(99).save(parquet.parent / "secret.png")
    (parquet / "inner").mkdir()
    outside = str(parquet.parent / "secret.png") if path.startswith("/") else path
    rows = datasets.load_dataset("parquet", data_files=str(parquet / "train-00000.parquet"))
    table = rows["train"].cast_column("img", datasets.Image(decode=False)).to_list()
    table[1]["img"] = {"bytes": None, "path": outside}
    written = datasets.Dataset.from_list(table).cast(rows["train"].features)
    pq.write_table(written.data.table, parquet / "train-00000.parquet")
    refuse(r"secret\.png: not a readable image \(its path leaves", f"parquet:{parquet}")


def test_a_path_within_the_folder_is_read(parquet):
    picture(20).save(parquet / "beside.png")
    table = datasets.load_dataset("parquet", data_files=str(parquet / "train-00000.parquet"))
    rows = table["train"].cast_column("img", datasets.Image(decode=False)).to_list()
    before = load_images(DataConfig(source=f"parquet:{parquet}")).train.pixels
    rows[1]["img"] = {"bytes": None, "path": "beside.png"}
    written = datasets.Dataset.from_list(rows).cast(table["train"].features)
    pq.write_table(written.data.table, parquet / "train-00000.parquet")
    after = load_images(DataConfig(source=f"parquet:{parquet}")).train.pixels
    assert torch.equal(before, after)


def test_a_folder_named_from_elsewhere(folder, monkeypatch):
    """Where the source has dots; links that lead out of the folder are refused by name."""
    (folder.parent / "inner").mkdir()
    monkeypatch.chdir(folder.parent / "inner")
    outside = folder.parent / "elsewhere.png"
    (folder / "train" / "dark" / "20.png").rename(outside)
    (folder / "train" / "dark" / "20.png").symlink_to(outside)
    refuse(r"20\.png is a link to .*elsewhere\.png, which is not", f"folder:../{folder.name}")
    (folder / "train" / "dark" / "20.png").unlink()
    outside.rename(folder / "train" / "dark" / "20.png")
    (folder / "train" / "dark" / "again.png").symlink_to("20.png")
    data = load_images(DataConfig(source=f"folder:../{folder.name}"))
    assert len(data.train) == 5


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    images, target = read_digits()
    theirs = load_digits()
    assert (images == theirs.images).all()
    assert (target == theirs.target).all()
    assert theirs.target_names.tolist() == list(range(10))


def test_columns_that_are_not_there(parquet):
    refuse("'label'", f"parquet:{parquet}", ConfigError, label_column="class")
    refuse("'img'", f"parquet:{parquet}", ConfigError, image_column="picture")


def test_columns_that_hold_something_else(parquet):
    refuse("not images", f"parquet:{parquet}", image_column="label")
    refuse("integers from 0, or names", f"parquet:{parquet}", label_column="img")


def number(parquet, labels, split="train-00000"):
    """Write a split again with these labels in place of named classes."""
    table = pq.read_table(parquet / f"{split}.parquet").replace_schema_metadata()
    column = labels if isinstance(labels, pa.Array) else pa.array(labels)
    columns = {"img": table["img"], "label": column}
    pq.write_table(pa.table(columns), parquet / f"{split}.parquet")


NUMBERED = {"image_column": "img", "label_column": "label"}


def test_numbers_without_names_have_no_gaps(parquet):
    number(parquet, [0, 0, 7, 7])
    refuse("column 'label': labels go up to 7, but no training image has label 1. Number the "
           "classes from 0 without gaps", f"parquet:{parquet}", **NUMBERED)  # fmt: skip
    number(parquet, [0, 1, 0, 1])
    number(parquet, [0, 1], "test")
    assert load_images(DataConfig(f"parquet:{parquet}", **NUMBERED)).class_names == ("0", "1")


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
@pytest.mark.parametrize("encoded", [False, True])
def test_names_are_matched_whatever_their_order(parquet, kind, encoded):
    def named(labels):
        column = pa.array(labels, kind)
        return column.dictionary_encode() if encoded and kind != pa.string_view() else column

    number(parquet, named(["night", "dawn", "day", "day"]))
    number(parquet, named(["day", "dawn"]), "test")
    data = load_images(DataConfig(f"parquet:{parquet}", **NUMBERED))
    assert data.class_names == ("dawn", "day", "night")
    found = {int(image[1, 1, 0]): int(label) for image, label in zip(
        torch.cat([data.train.pixels, data.evaluation.pixels]),
        torch.cat([data.train.labels, data.evaluation.labels]), strict=True)}  # fmt: skip
    assert found == {10: 2, 20: 0, 200: 1, 210: 1, 30: 1, 220: 0}


def test_names_without_a_test_split_are_held_out_by_class(tmp_path):
    make_table(range(20), labels=[0] * 20).to_parquet(tmp_path / "train-00000.parquet")
    number(tmp_path, ["b", "a"] * 10)
    data = load_images(DataConfig(f"parquet:{tmp_path}", **NUMBERED))
    assert data.evaluation.labels.bincount().tolist() == [2, 2]
    assert data.train.labels.bincount().tolist() == [8, 8]


def test_names_of_the_test_split_meet_the_classes_of_the_training_split(parquet):
    number(parquet, ["light", "dark"], "test")
    data = load_images(DataConfig(f"parquet:{parquet}", **NUMBERED))
    assert data.class_names == ("dark", "light")
    by_value = {int(x[1, 1, 0]): int(y) for x, y in zip(
        data.evaluation.pixels, data.evaluation.labels, strict=True)}  # fmt: skip
    assert by_value == {30: 1, 220: 0}


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (["a", "b", "a", "b"], ["a", "c"], "the test split has a class c, but the training split"),
        (["a", "b", "a", None], ["a", "b"], "column 'label' has rows without a label. Remove"),
        (["a", "b", "a", ""], ["a", "b"], "column 'label' has rows with an empty label"),
        (["a", "b", "a", "b"], [0, 1], "training split's labels are names, and the test split's"),
        ([0, 1, 0, 1], ["a", "b"], "labels are numbers, and the test split's names"),
        (["a", "a", "a", "a"], ["a", "a"], "are of one class"),
    ],
)
def test_names_that_do_not_fit_are_refused(parquet, train, test, message):
    number(parquet, train)
    number(parquet, test, "test")
    refuse(message, f"parquet:{parquet}", **NUMBERED)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 0, 10**12], "column 'label': labels go up to 1000000000000, but .* label 2"),
        ([1, 2, 1, 2], "no training image has label 0"),
        ([0, 1, -(10**12), 1], "column 'label': there is a label -1000000000000"),
        (np.array([0, 1, 2**63 + 5, 1], np.uint64), "9223372036854775813 is too large"),
        ([0, 1, None, 1], "column 'label' has rows without a label. Remove them"),
        ([0.0, 1.0, 0.0, 1.0], "column 'label' contains float64.*--data.label_column"),
        ([1e300, 1.0, 0.0, 1.0], "column 'label' contains float64"),
        ([True, False, True, False], "column 'label' contains bool"),
        ([[0], [1], [0], [1]], "column 'label' contains"),
    ],
)
def test_labels_that_are_no_class_numbers(parquet, labels, message):
    """They are refused before anything of their size is made."""
    number(parquet, labels)
    number(parquet, labels[:2], "test")
    tracemalloc.start()
    refuse(message, f"parquet:{parquet}", **NUMBERED)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_a_label_of_the_test_split_that_no_class_has(parquet):
    number(parquet, [0, 1, 0, 1])
    number(parquet, [0, 10**12], "test")
    refuse("from 0 to 1000000000000 but there are 2 class", f"parquet:{parquet}", **NUMBERED)


def test_a_missing_image_is_named(parquet):
    frame = make_table([10, 20, 200, 210]).to_pandas()
    frame.loc[1, "img"] = None
    pq.write_table(pa.Table.from_pandas(frame), parquet / "train-00000.parquet")
    refuse("train row 1: not a readable image", f"parquet:{parquet}", image_column="img",
           label_column="label")  # fmt: skip


def test_labels_out_of_range(parquet):
    table = make_table([10, 20, 200, 210]).cast_column("label", datasets.Value("int64"))
    frame = table.to_pandas()
    frame["label"] = [0, -1, 1, 1]
    pq.write_table(pa.Table.from_pandas(frame), parquet / "train-00000.parquet")
    refuse("label -1", f"parquet:{parquet}", image_column="img", label_column="label")


def test_mixed_sizes_are_refused_with_a_remedy_that_works(folder):
    picture(20, (9, 9)).save(folder / "train" / "dark" / "20.png")
    refuse(r"mixed sizes.*--data.resolution", f"folder:{folder}")
    data = load_images(DataConfig(source=f"folder:{folder}", resolution=3))
    assert data.train.pixels.shape == (4, 3, 3, 3)


def test_one_class(tmp_path):
    make_table([10, 20], labels=[0, 0]).to_parquet(tmp_path / "train.parquet")
    make_table([10, 20], labels=[0, 0]).to_parquet(tmp_path / "test.parquet")
    refuse("are of one class", f"parquet:{tmp_path}")
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    for value in range(5):
        picture(value).save(tmp_path / "photos" / "cat" / f"{value}.png")
    refuse("are of one class", f"folder:{tmp_path / 'photos'}")


def test_more_examples_than_there_are():
    refuse("at most 1200", "digits", ConfigError, train_examples=5000)
    refuse("at most 597", "digits", ConfigError, evaluation_examples=600)
    refuse("contains no image of class", "digits", ConfigError, train_examples=5)
    refuse("contains no image of class", "digits", ConfigError, evaluation_examples=5)


@pytest.mark.parametrize(
    ("error", "settings"),
    [
        (r"^data.validation_share: got 0.004. The validation split .*Increase",
         {"validation_share": 0.004}),
        (r"^data.validation_share: got 0.996. It leaves no training image of class .*Decrease",
         {"validation_share": 0.996}),
        (r"^data.evaluation_examples: got 5. The subset .*Increase data.evaluation",
         {"validation_share": 0.2, "evaluation_examples": 5}),
    ],
)  # fmt: skip
def test_a_setting_that_leaves_out_a_class_is_named_before_an_image_is_decoded(
    error, settings, monkeypatch
):
    monkeypatch.setattr("learnorder.data.sources.stack_images", None)
    refuse(error, "digits", ConfigError, evaluate_on="validation", **settings)


RETURNED: dict[str, object] = {}
"""What the function under test returns."""


def returned():
    return RETURNED["value"]


def from_function(value, **settings):
    RETURNED["value"] = value
    return load_images(DataConfig(source=f"function:{__name__}.returned", **settings))


def pixels_of(n, *shape, seed=0):
    drawing = np.random.default_rng(seed)
    return drawing.integers(0, 256, (n, *shape), dtype=np.uint8)


def test_a_function_s_images_and_labels():
    """Arrays as they are; a fifth is held out where there is no test split; arms see the same."""
    pixels, labels = pixels_of(50, 6, 6, 3), np.arange(50) % 2
    data = from_function((pixels, labels))
    assert (len(data.train), len(data.evaluation)) == (40, 10)
    shown = {t.numpy().tobytes() for t in (*data.train.pixels, *data.evaluation.pixels)}
    assert shown == {p.tobytes() for p in pixels}
    by_pixels = {p.tobytes(): int(label) for p, label in zip(pixels, labels, strict=True)}
    for image, label in zip(data.train.pixels, data.train.labels, strict=True):
        assert by_pixels[image.numpy().tobytes()] == int(label)


def test_a_function_with_splits_names_and_floats():
    train = (torch.rand(20, 5, 5), ["cat", "dog"] * 10)
    test = (torch.rand(6, 5, 5), ["dog", "cat"] * 3)
    data = from_function((train, test))
    assert data.class_names == ("cat", "dog")
    assert data.evaluation.labels.sum() == 3
    assert data.image_size == (5, 5)
    brightest = int(data.train.pixels.max())
    assert brightest == round(255 * float(train[0].max()))
    pictures = [Image.fromarray(p) for p in pixels_of(10, 9, 9, 3)]
    assert from_function((pictures, [0, 1] * 5), resolution=4).image_size == (4, 4)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3, "returned a int"),
        ((pixels_of(4, 5, 5), [0, 1]), "4 images and 2 labels"),
        ((pixels_of(4, 5, 5), [0.5, 1, 0, 1]), "labels as float64"),
        ((pixels_of(4, 5, 5), [0, 1, None, 1]), "labels as object"),
        ((pixels_of(4, 5, 5), [0, 1, 10**30, 1]), "labels as object"),
        ((pixels_of(4, 5, 5), [0, 1, 10**12, 1]), "returned: labels go up to 1000000000000"),
        ((pixels_of(4, 5, 5), [0, 1, -1, 1]), "returned: there is a label -1. Number the classes"),
        (((pixels_of(4, 5, 5), [0, 1] * 2), (pixels_of(2, 5, 5), [0, 10**12])), "2 class names"),
        ((np.full((10, 5, 5), 3.0), [0, 1] * 5), "divide by 255"),
        ((np.zeros((10, 5, 5, 7), np.uint8), [0, 1] * 5), "shape \\(5, 5, 7\\)"),
        (([*pixels_of(9, 5, 5), pixels_of(1, 6, 6)[0]], [0, 1] * 5), "mixed sizes"),
        ((pixels_of(10, 5, 5), [0] * 10), "are of one class|at least two"),
    ],
)
def test_a_function_that_returns_something_else(value, message):
    with pytest.raises(DataError, match=message):
        from_function(value)


def test_a_function_that_is_not_there():
    with pytest.raises(ConfigError, match="No module"):
        load_images(DataConfig(source="function:nowhere_at_all.load"))
    with pytest.raises(ConfigError, match="separated by a dot"):
        load_images(DataConfig(source="function:load"))
