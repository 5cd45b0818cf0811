"""The data map, and the page of examples worth a look."""

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from learnorder import LearningOrder, data_map, write_examples
from learnorder.errors import ConfigError, DataError


def made(n=6, groups=None, epochs=4, **how):
    """Example i has the margin i − 2.5 in each epoch; example 1 is right in epochs 1 and 3 only."""
    order = LearningOrder(n, groups, dynamics=True, **how)
    for epoch in range(1, epochs + 1):
        margins = torch.arange(n) - 2.5
        margins[1] = 1.0 if epoch % 2 else -3.0
        logits = torch.stack([margins, torch.zeros(n)], 1)
        order.update(range(n), logits, [0] * n, epoch=epoch)
    return order


def points(figure):
    """The points of each bin, without the entries of the legend."""
    return {t.name: t for t in figure.data if t.customdata is not None}


# the map


def test_points_of_the_map():
    figure = data_map(made())
    found = points(figure)
    assert [len(found[name].x) for name in found] == [2, 0, 1, 0, 3]
    assert found["never"].y[0] == pytest.approx(1 / (1 + np.exp(2.5)))
    assert found["never"].x[0] == pytest.approx(0, abs=1e-6)
    assert found["up to 50 %"].customdata[0].startswith("index 1<br>")
    assert figure.layout.title.text == "Data map, 6 examples"
    assert "variability" in figure.layout.xaxis.title.text
    assert "confidence" in figure.layout.yaxis.title.text
    shown = [t.name for t in figure.data if t.showlegend is not False]
    assert shown == ["never", "up to 25 %", "up to 50 %", "up to 75 %", "up to 100 %"]
    colors = {t.marker.color for t in figure.data}
    assert len(colors) == 5


def test_a_sample_is_said_and_repeats():
    one, two = (data_map(made(50), most=20) for _ in range(2))
    assert one.layout.title.text == "Data map, 20 of 50 examples"
    assert sum(len(t.x) for t in points(one).values()) == 20
    assert one == two


def test_groups_as_symbols():
    order = made(groups=["a", "b"] * 3)
    found = points(data_map(order, symbols=True))
    assert found["never"].marker.symbol == ("circle", "circle")
    assert found["up to 50 %"].marker.symbol == ("diamond",)
    assert "<br>b<br>" in found["up to 50 %"].customdata[0]


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ConfigError, match="dynamics=True"):
        data_map(LearningOrder(3))
    with pytest.raises(DataError, match="nothing to draw"):
        data_map(LearningOrder(3, dynamics=True))
    with pytest.raises(ConfigError, match="7 groups, but 6 symbols"):
        data_map(made(7, groups=range(7)), symbols=True)
    with pytest.raises(ConfigError, match="most"):
        data_map(made(), most=0)


# the page


def rows(folder):
    with (folder / "examples.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def listed(folder):
    found = {}
    for row in rows(folder):
        found.setdefault(row["list"], []).append(int(row["index"]))
    return found


def test_lists_of_examples(tmp_path):
    page = write_examples(made(), tmp_path / "looks")
    assert page == tmp_path / "looks" / "examples.html"
    assert listed(page.parent) == {
        "suspected_error": [0, 1, 2, 3, 4, 5],
        "never_learned": [0, 2],
        "forgotten": [1],
    }
    text = page.read_text()
    assert "2 of 6 examples were never learned." in text
    assert "First correct after epoch 1: 0 of 6" in text


def test_lists_are_cut_and_say_so(tmp_path):
    write_examples(made(40, groups=["g"] * 40), tmp_path, most=2)
    assert {name: len(found) for name, found in listed(tmp_path).items()} == {
        "suspected_error": 2,
        "never_learned": 2,
        "forgotten": 1,
    }
    order = LearningOrder(9)
    wrong, right = torch.tensor([[0.0, 1.0]] * 9), torch.tensor([[1.0, 0.0]] * 9)
    order.update(range(9), wrong, [0] * 9)
    order.update(range(9), right, [0] * 9)
    page = write_examples(order, tmp_path, most=2).read_text()
    assert "First correct after epoch 1: 9 of 9; 2 are shown, the last first." in page
    assert "dynamics=True" in page, "how label errors are found"
    assert listed(tmp_path) == {"learned_late": [0, 1]}


def test_texts_and_names_are_escaped_and_not_explained(tmp_path):
    hostile = '<script>alert("patch")</script> & one arm \x1b[31m'
    names = ["<b>cat</b>"] * 6
    order = made(groups=["<i>g</i>"] * 3 + ["h"] * 3)
    page = write_examples(order, tmp_path, show=lambda i: hostile, labels=names)
    text = page.read_text()
    assert "alert(&#34;patch&#34;)" in text
    assert '<script>alert("patch")' not in text
    assert "<b>cat" not in text
    assert "<i>g</i>" not in text
    assert "\x1b" not in text
    assert 'class="terms"' not in text, "words of texts are no terms of the glossary"
    assert {row["text"] for row in rows(tmp_path)} == {hostile}
    assert {row["label"] for row in rows(tmp_path)} == {names[0]}


def test_half_a_character_is_escaped_in_both_files(tmp_path):
    page = write_examples(made(), tmp_path, show=lambda index: "half \ud83d")
    assert "half \\ud83d" in page.read_text(encoding="utf-8")
    assert "half \\ud83d" in (tmp_path / "examples.csv").read_text(encoding="utf-8")


def test_long_texts_are_cut_on_the_page_alone(tmp_path):
    page = write_examples(made(), tmp_path, show=lambda i: "ab" * 400)
    assert "ab" * 150 + " …" in page.read_text()
    assert "ab" * 151 not in page.read_text()
    assert "first 300 characters" in page.read_text().lower()
    assert rows(tmp_path)[0]["text"] == "ab" * 400


@pytest.mark.parametrize(
    "image",
    [
        Image.new("L", (5, 4)),
        Image.new("RGBA", (500, 400)),
        torch.zeros(4, 5, dtype=torch.uint8),
        torch.zeros(3, 4, 5, dtype=torch.uint8),
        torch.zeros(1, 4, 5, dtype=torch.uint8),
        np.zeros((4, 5, 3), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
    ],
)
def test_images_are_thumbnails(tmp_path, image):
    page = write_examples(made(), tmp_path, show=lambda i: image, most=2)
    found = re.findall(
        r'<img class="thumbnail" src="(data:image/png;base64,[^"]+)"', page.read_text()
    )
    assert len(found) == 5
    assert max(map(len, found)) < 5000
    assert "text" not in rows(tmp_path)[0]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (7, "an object of type int"),
        (Image.new("I;16", (4, 4)), "mode I;16"),
        (Image.new("F", (4, 4)), "mode F"),
        (torch.zeros(3, 4, 4), "pixels as torch.float32|pixels as float32"),
        (np.zeros((2, 3, 4, 5), np.uint8), r"shape \(2, 3, 4, 5\)"),
        (np.zeros((0, 4), np.uint8), r"shape \(0, 4\)"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_anything_is_written(tmp_path, value, said):
    with pytest.raises(DataError, match=said):
        write_examples(made(), tmp_path / "looks", show=lambda i: value)
    assert not (tmp_path / "looks").exists()


def test_each_example_is_shown_once(tmp_path):
    calls = []
    write_examples(made(), tmp_path, show=lambda i: calls.append(i) or "text")
    assert calls == [0, 1, 2, 3, 4, 5]


def test_tokens_have_their_positions_and_labels(tmp_path):
    order = LearningOrder(2, positions=2, dynamics=True)
    logits = torch.tensor([[[0.0, 1.0], [1.0, 0.0]], [[0.0, 3.0], [1.0, 0.0]]])
    order.update([0, 1], logits, torch.zeros(2, 2, dtype=torch.int64))
    page = write_examples(order, tmp_path, labels=torch.tensor([[5, 6], [7, 8]]), most=1)
    first = rows(tmp_path)[0]
    assert (first["index"], first["position"], first["label"]) == ("1", "0", "7")
    assert "1, position 0" in page.read_text()


def test_unfit_settings_are_refused(tmp_path):
    with pytest.raises(DataError, match="No example was recorded"):
        write_examples(LearningOrder(3), tmp_path)
    with pytest.raises(ConfigError, match="most"):
        write_examples(made(), tmp_path, most=0)
    with pytest.raises(ConfigError, match="one for each of the 6"):
        write_examples(made(), tmp_path, labels=[1, 2])
    assert not list(tmp_path.iterdir())


def test_numbers_of_the_page_are_those_of_the_frame(tmp_path):
    order = made()
    write_examples(order, tmp_path)
    read = pd.read_csv(tmp_path / "examples.csv")
    frame = order.frame().loc[read["index"]]
    assert read["aum"].tolist() == pytest.approx(frame["aum"].tolist())
    assert read["rank"].iloc[0] == 1


def test_the_script_of_the_guide_finds_flipped_labels(tmp_path, monkeypatch):
    """The page's script runs as shown, and finds most of the labels that it flipped."""
    guide = Path(__file__).parents[1] / "docs" / "how-to" / "mislabelled.md"
    script = guide.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(script, names)
    assert torch.isin(names["suspects"], names["flipped"]).float().mean() > 0.9
    assert Path("map.html").exists()
    assert listed(Path("looks"))["suspected_error"] == names["suspects"][:50].tolist()
