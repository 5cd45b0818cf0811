"""The page of ``learnorder theory explore``: its numbers against Python's flow, its controls."""

import csv
import dataclasses
import io

import numpy as np
import pytest
import torch

from learnorder.cli import main
from learnorder.theory import NetworkConfig, Phase, SolverConfig, finite
from learnorder.theory.explorer import grid
from learnorder.theory.explorer.page import write_explorer
from learnorder.theory.explorer.settings import Setting, draw, run
from learnorder.theory.finite import FiniteNetwork
from learnorder.theory.noise_law import NoiseLaw

from .conftest import new_page

ARMS = ("L-S", "S", "S+noise")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_explorer(tmp_path_factory.mktemp("explorer") / "explorer.html")


@pytest.fixture(scope="module")
def loaded(browser, path):
    """The page, for tests that only call its functions."""
    with new_page(browser) as page:
        open_page(page, path)
        yield page


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
def test_the_flow_in_javascript_is_that_in_python(loaded, count):
    """Margins and errors of random settings agree at every measured time."""
    for at, setting in enumerate(random_settings(count)):
        arm = ARMS[at % 3]
        theirs = loaded.evaluate("([arm, x]) => runArm(arm, x, DATA.arcsine)", [arm, js(setting)])
        ours = run(setting, arm)
        for name, values in (("time", ours.times), ("marginP", ours.p), ("marginQ", ours.q)):
            got = [point[name] for point in theirs["points"]]
            assert got == pytest.approx(values, rel=0.02, abs=1e-6 + 1e-4 * abs(values).max()), name
        errors = [point["errorP"] for point in theirs["points"]]
        assert errors == pytest.approx(ours.error, rel=0.02, abs=1e-4)
        assert (theirs["annealed"] or 0) == pytest.approx(ours.annealed or 0, rel=0.02)


def test_both_draw_the_same_data(loaded):
    setting = Setting(kappa=0.8, p0=0.3, seed=7)
    data = loaded.evaluate(
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
    for point, at in ((17, 0), (40, 2), (71, 7)):
        assert stored[point, at] == pytest.approx(grid.row(points[point], at), abs=3)


@pytest.mark.parametrize(
    ("arm", "setting"),
    [("S", Setting()), ("L-S", Setting()), ("L-S", Setting(eta=1e-4)), ("L-S", Setting(eta=1e-10)),
     ("S+noise", Setting()), ("S+noise", Setting(sigma=1e-3))],
)  # fmt: skip
def test_the_estimate_at_a_point_of_the_grid_is_its_run(loaded, arm, setting):
    estimate = loaded.evaluate("([arm, x]) => preview(GRID, arm, x)", [arm, js(setting)])
    ours = run(setting, arm)
    times = [point["time"] for point in estimate["points"]]
    p = np.interp(np.log(times), np.log(ours.times), ours.p)
    assert estimate["points"][-1]["marginQ"] == pytest.approx(ours.q[-1], abs=0.01)
    assert [point["marginP"] for point in estimate["points"]] == pytest.approx(p, abs=0.01)


SMALL = Setting(s=16.0, r=0.08, kappa=0.45, weight_decay=1e-3)


def finite_network(width, tau0, seeds=1):
    """Return finite networks on the page's training set, and their learning rate η*."""
    config = SMALL.config("L-S")
    config = dataclasses.replace(
        config,
        network=NetworkConfig("separate", True, width, width, tau0, True, "float64"),
        algorithm=dataclasses.replace(config.algorithm, eta2=config.eta1),
        solver=SolverConfig("finite"),
    )
    return FiniteNetwork(config, range(seeds), [draw(SMALL)] * seeds), config.eta1


def gates(network):
    """Return the activation patterns of the units that see x1, (seeds, m, examples with P)."""
    examples = draw(SMALL)
    return network.weights.w @ examples.x1[examples.has_p].T > 0


TRAIN = """([x, w, v, scale, eta, sigma, steps, seed = 0]) => {
  const law = new NoiseLaw(derived(x).etaStar, x.lambda);
  const initial = { w: Float64Array.from(w), v: Float64Array.from(v) };
  const network = new Network(drawExamples(x), initial, new Random(seed, 9));
  const { keep, rate, spread } = stepsAtOnce(law, eta, 1);
  network.evaluate(0);
  const start = network.p.active.slice();
  network.evaluate(sigma);
  const losses = [network.loss];
  for (let step = 0; step < steps; step++) {
    network.update({ keep, rate, spread: (spread / TAU0) * scale });
    network.evaluate(sigma);
    losses.push(network.loss);
  }
  network.evaluate(0);
  const g = [...network.onQ()];
  return { losses, g, switched: switched(network.p.active, start), f: [...network.f] };
}"""


def test_the_finite_network_in_javascript_is_that_in_python(loaded):
    """The same weights, and no noise: the same trajectory, also where units switch."""
    network, eta = finite_network(width=20, tau0=1.0)
    w, v = (part[0, :10].flatten().tolist() for part in vars(network.weights).values())
    theirs = loaded.evaluate(TRAIN, [js(SMALL), w, v, 0, eta, 0, 200])
    before, examples = gates(network), draw(SMALL)
    network.begin([Phase(eta, 0.0, 0.0)])
    losses = [float(network.loss)]
    for _ in range(200):
        network.update([eta], None)
        network.evaluate()
        losses.append(float(network.loss))
    on_q = network.on_q()
    f = network.on_p(examples.x1) + examples.amplitude * on_q[examples.b.long() + 1]
    assert theirs["losses"] == pytest.approx(losses, rel=1e-9)
    assert theirs["g"] == pytest.approx(on_q.tolist(), rel=1e-8)
    assert theirs["f"] == pytest.approx(f.tolist(), rel=1e-8)
    share = float((gates(network) != before).double().mean())
    assert theirs["switched"] == pytest.approx(share)
    assert share > 0.05
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("sigma", [0.0, 30.0])
def test_the_finite_network_with_noise(loaded, sigma, monkeypatch):
    """Other draws of the noise: on average the same loss, and the same share of switched units."""
    monkeypatch.setattr(finite, "_BLOCK_ELEMENTS", 10_000)  # no noise for rows that are not there
    seeds, steps = 4, 100
    networks, eta = finite_network(width=100, tau0=1000.0, seeds=seeds)
    theirs = []
    for seed in range(seeds):
        w, v = (part[seed, :50].flatten().tolist() for part in vars(networks.weights).values())
        values = [js(SMALL), w, v, 1000, eta, 1000 * sigma, steps, seed]
        theirs.append(loaded.evaluate(TRAIN, values))
    before, phases = gates(networks), [Phase(eta, sigma, 0.0)] * seeds
    networks.begin(phases)
    losses = []
    for _ in range(steps):
        networks.advance(phases)
        losses.append(float(networks.loss.mean()))
    late = np.mean([run["losses"][-30:] for run in theirs])
    assert late == pytest.approx(np.mean(losses[-30:]), rel=0.1)
    share = float((gates(networks) != before).double().mean())
    assert np.mean([run["switched"] for run in theirs]) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(("eta", "n"), [(0.2, 1), (0.2, 40), (1e-9, 3e8)])
def test_steps_at_once(loaded, eta, n):
    """The decay, the summed learning rates and the noise of n steps whose gradient is held."""
    at_once = "([a, b, eta, n]) => stepsAtOnce(new NoiseLaw(a, b), eta, n)"
    got = loaded.evaluate(at_once, [0.2, 0.01, eta, n])
    law = NoiseLaw(0.2, 0.01)
    step = law.transition(torch.zeros(1, dtype=torch.float64), 1.0, eta, n)
    assert got["keep"] == pytest.approx(step.gain)
    assert got["rate"] == pytest.approx(step.linear_weight)
    assert got["keep"] ** 2 + (got["spread"] / 1000) ** 2 == pytest.approx(step.variance)


def test_the_live_networks_follow_the_infinite_width(loaded):
    large, small, noise = loaded.evaluate(
        "x => ARMS.map((arm) => { const run = new LiveRun(arm, x, 400); run.advance(5);"
        " return run.measure(); })",
        js(SMALL),
    )
    limit = run(SMALL, "S")
    assert small["marginP"] == pytest.approx(np.interp(5, limit.times, limit.p), rel=0.2)
    assert small["marginQ"] == pytest.approx(np.interp(5, limit.times, limit.q), rel=0.3)
    assert noise["marginP"] == pytest.approx(small["marginP"], rel=0.2)
    assert noise["marginQ"] == pytest.approx(0, abs=0.03)
    assert large["switchedP"] == pytest.approx(np.arccos(np.exp(-0.001 * 5)) / np.pi, abs=0.01)
    assert large["expectedSwitched"] == pytest.approx(large["switchedP"], abs=0.01)
    assert max(small["switchedP"], small["switchedQ"]) < 0.002
    assert noise["switchedP"] == pytest.approx(0.49, abs=0.02)
    assert large["apartFromStart"] < 0.75 * small["apartFromStart"]
    assert small["apartFromStart"] > 10


def test_play_step_and_reset(page, path):
    open_page(page, path)
    page.click("#step")
    page.wait_for_function("finite.time > 0")
    page.wait_for_selector("#finite-q polyline[stroke-width='1']", state="attached")
    assert "switched on or off" in page.inner_text("#finite-summary")
    assert page.locator("#finite-values tr").first.inner_text().startswith("L-S\t1\t")
    page.focus("#play")
    page.keyboard.press("Enter")
    page.wait_for_function("finite.time > 1")
    page.keyboard.press("Enter")
    assert page.inner_text("#play") == "Play"
    page.focus("#units")
    page.keyboard.press("End")
    assert page.get_attribute("#units", "aria-valuetext") == "1,000 units in each half"
    page.wait_for_function("finite.frames && finite.time === 0")
    assert page.inner_text("#finite-status") == "Not yet trained: press Play."
    page.evaluate("finiteAnswered('S', { ticket: finite.ticket, error: 'out of memory' })")
    assert "stopped: out of memory" in page.inner_text("#notices")


def test_a_slider_by_keyboard(page, path):
    open_page(page, path)
    before = page.inner_text("#summary")
    assert "S learns Q first" in before
    assert "L-S learns P first" in before
    page.focus("#slider-eta")
    page.keyboard.press("Home")
    page.wait_for_function("document.body.dataset.ready === 'yes'")
    assert page.inner_text("#value-eta") == "10⁻¹²"
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
    page.click("#step")
    page.wait_for_function("finite.time > 0")


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
    assert not page.is_visible("#play")
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
