"""The page of ``learnorder theory explore``: its numbers against Python's flow, its controls."""

import csv
import io

import numpy as np
import pytest

from learnorder.cli import main
from learnorder.theory.explorer import grid
from learnorder.theory.explorer.page import write_explorer
from learnorder.theory.explorer.settings import Setting, draw, run

ARMS = ("L-S", "S", "S+noise")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_explorer(tmp_path_factory.mktemp("explorer") / "explorer.html")


def open_page(page, path, address=""):
    page.goto(path.as_uri() + address)
    page.wait_for_function("document.body.dataset.ready === 'yes'")


def js(setting):
    values = dict(vars(setting))
    values["lambda"] = values.pop("weight_decay")
    return values


def random_settings(n):
    u = np.random.default_rng(0).uniform
    for seed in range(n):
        yield Setting(
            s=10 ** u(0, 3.4),
            r=10 ** u(-5, -0.6),
            kappa=u(0.5, 1.4),
            weight_decay=10 ** u(-6, -3),
            p0=u(0.02, 0.5),
            eta=10 ** u(-12, 0),
            sigma=10 ** u(-6, 2),
            anneal=None if seed % 2 else 10 ** u(0, 3),
            seed=seed,
        )


@pytest.mark.parametrize("count", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_the_flow_in_javascript_is_that_in_python(page, path, count):
    """Margins and errors of random settings agree at every measured time."""
    open_page(page, path)
    for at, setting in enumerate(random_settings(count)):
        arm = ARMS[at % 3]
        theirs = page.evaluate("([arm, x]) => runArm(arm, x, DATA.arcsine)", [arm, js(setting)])
        ours = run(setting, arm)
        for name, values in (("time", ours.times), ("marginP", ours.p), ("marginQ", ours.q)):
            got = [point[name] for point in theirs["points"]]
            assert got == pytest.approx(values, rel=0.02, abs=1e-6 + 1e-4 * abs(values).max()), name
        errors = [point["errorP"] for point in theirs["points"]]
        assert errors == pytest.approx(ours.error, rel=0.02, abs=1e-4)
        assert (theirs["annealed"] or 0) == pytest.approx(ours.annealed or 0, rel=0.02)


def test_both_draw_the_same_data(page, path):
    open_page(page, path)
    setting = Setting(kappa=0.8, p0=0.3, seed=7)
    data = page.evaluate(
        "x => { const { x1, amplitude, b, y } = drawExamples(x);"
        " return [x1, amplitude, b, y].map((values) => [...values]); }",
        js(setting),
    )
    ours = draw(setting)
    for got, expected in zip(data, (ours.x1, ours.amplitude, ours.b, ours.y), strict=True):
        assert got == pytest.approx(expected.flatten().tolist(), abs=1e-12)
    assert 20 < int((~ours.has_q).sum()) < 40


def test_the_packaged_grid_is_what_the_flow_computes():
    stored, points = grid.values(grid.read()), grid.points()
    assert len(stored) == len(points)
    for point, at in ((17, 0), (40, 1), (71, 2)):
        assert stored[point, at] == pytest.approx(grid.row(points[point], at), abs=3)


def test_the_estimate_at_a_point_of_the_grid_is_its_run(page, path):
    open_page(page, path)
    for arm in ARMS:
        estimate = page.evaluate(f"preview(GRID, '{arm}', settingOf(defaults()))")
        ours = run(Setting(), arm)
        times = [point["time"] for point in estimate["points"]]
        p = np.interp(np.log(times), np.log(ours.times), ours.p)
        assert estimate["points"][-1]["marginQ"] == pytest.approx(ours.q[-1], abs=0.01)
        assert [point["marginP"] for point in estimate["points"]] == pytest.approx(p, abs=0.01)


def test_a_slider_by_keyboard(page, path):
    open_page(page, path)
    before = page.inner_text("#summary")
    assert "S learns Q first" in before
    assert "L-S learns P first" in before
    page.focus("#slider-eta")
    page.keyboard.press("Home")
    page.wait_for_function("document.body.dataset.ready === 'yes'")
    assert page.get_attribute("#slider-eta", "aria-valuetext") == "10⁻¹²"
    assert "L-S learns Q first" in page.inner_text("#summary")
    assert "eta=1e-12" in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in page.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("address", "said"),
    [("#s=abc", "not a number"), ("#s=1e9", "the nearest value"), ("#%E0%A4%A", "damaged"),
     ("#colour=red", "does not know")],
)  # fmt: skip
def test_a_bad_address_is_said(page, path, address, said):
    open_page(page, path, address)
    assert said in page.inner_text("#notices")
    assert page.locator("#chart-p polyline").count() == 3


@pytest.mark.parametrize(
    "worker", ["delete window.Worker", "window.Worker = class { constructor() { throw 1 } }"]
)
def test_without_workers(page, path, worker):
    page.add_init_script(worker)
    open_page(page, path)
    assert "no background scripts" in page.inner_text("#notices")
    assert "S learns Q first" in page.inner_text("#summary")


def test_a_failing_solver_is_said(page, path):
    """The page shows the estimate with a sentence."""
    open_page(page, path)
    page.evaluate("finished('S', { ticket, error: 'no accurate step' })")
    assert "no accurate step for S" in page.inner_text("#notices")
    assert page.locator("#chart-q polyline").count() == 3


def test_predict_then_reveal(page, path):
    open_page(page, path, "#mode=predict")
    assert not page.is_visible("#chart-p")
    assert not page.is_visible("#summary")
    for name, answer in (("L-S", "P"), ("S", "P"), ("S+noise", "P")):
        page.check(f'input[name="first-{name}"][value="{answer}"]')
    page.click("#reveal")
    assert page.is_visible("#chart-p")
    assert page.inner_text("#score") == "2 of 4 right."
    assert "✗ No: Q." in page.inner_text("#questions")


def test_files(page, path):
    open_page(page, path, "#anneal=100")
    with page.expect_download() as download:
        page.click("#csv")
    first, *rest = download.value.path().read_text(encoding="utf-8").splitlines()
    assert "anneal=100" in first
    rows = list(csv.DictReader(io.StringIO("\n".join(rest))))
    last = [row for row in rows if row["algorithm"] == "S"][-1]
    ours = run(Setting(), "S")
    assert float(last["margin_q"]) == pytest.approx(ours.q[-1], rel=0.01)
    with page.expect_download() as download:
        page.click("#png")
    assert download.value.path().read_bytes()[:4] == b"\x89PNG"


def test_the_command(tmp_path, capsys):
    assert main(["theory", "explore", "--out", str(tmp_path / "new" / "page.html")]) == 0
    assert (tmp_path / "new" / "page.html").stat().st_size < 1_500_000
    assert main(["theory", "explore", "--out", str(tmp_path)]) == 2
    assert "Give a file" in capsys.readouterr().err
