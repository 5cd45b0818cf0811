"""The page, as its reader sees it: in a browser, offline; and the numbers behind it."""

import csv
import itertools
import math
import re
from dataclasses import replace
from html import escape
from pathlib import Path

import plotly.graph_objects as go
import pytest
from PIL import Image

from learnorder.errors import RunFolderError
from learnorder.images.diagnostics import MEASURES
from learnorder.images.figures import FIGURES
from learnorder.images.findings import findings
from learnorder.report import parts, style
from learnorder.report.comparisons import baselines
from learnorder.report.content import Content, Section
from learnorder.report.grid import SweepGrid, row_orders, sweep_rows
from learnorder.report.page import render, write_page, write_report
from learnorder.report.tables import difference_table, final_table, order_table
from learnorder.report.terms import TERMS
from learnorder.runs import RunFolder
from learnorder.runs.results import Results
from learnorder.schedules import Schedule
from learnorder.statistics import Span
from learnorder.statistics.learned import first_epoch

from .conftest import changed, fake_run


@pytest.fixture
def results(tiny, tmp_path):
    """Two arms, three seeds; small learns the patch at epoch 1, large at 3 and once never."""
    folders = []
    for seed, (large, gain) in enumerate(
        [([0.1, 0.2, 0.95], 0.05), ([0.1, 0.1, 0.9], 0.04), ([0.1] * 3, 0.03)]
    ):
        config = replace(tiny, seed=seed)
        for arm, curve, clean in (("large", large, 0.8 + gain), ("small", [0.95] * 3, 0.8)):
            path = tmp_path / f"{arm}-seed{seed}"
            folders.append(fake_run(path, config, {"arm": arm}, curve, clean))
    return Results(folders)


def test_known_answers(results):
    assert results.learned("large", "patch") == {0: 3, 1: 3, 2: None}
    assert results.learned("small", "patch") == {0: 1, 1: 1, 2: 1}
    difference = results.final_difference("large", "small", "clean", "accuracy")
    assert (difference.n, difference.mean) == (3, pytest.approx(0.04))
    # t(0.975, 2) · 0.01 / √3
    assert difference.high - difference.mean == pytest.approx(4.302653 * 0.01 / 3**0.5)
    assert results.learned("large", "content") == {0: 1, 1: 1, 2: 1}
    assert results.learned("large", "content", 0.75) == {0: 1, 1: 1, 2: 1}, "83 % is beyond 77.5 %"


def test_the_level_of_the_content_does_not_depend_on_the_arms(tiny, tmp_path):
    """Of ten classes a quarter of the way is 32.5 %, half of it 55 %, three quarters 77.5 %."""
    curves = {"slow": [0.2, 0.33, 0.5], "fast": [0.4, 0.6, 0.99]}
    folders = [
        fake_run(tmp_path / arm, tiny, {"arm": arm}, [0.1, 0.1, 0.95], clean)
        for arm, clean in curves.items()
    ]
    for results in (Results(folders), Results(folders[:1])):
        found = [results.learned("slow", "content", f) for f in (0.25, 0.5, 0.75)]
        assert found == [{0: 2}, {0: None}, {0: None}]
    both = Results(folders)
    assert [both.learned("fast", "content", f)[0] for f in (0.25, 0.5, 0.75)] == [1, 2, 3]
    assert both.order_ratio("slow")[0] == Span.at(math.log10(3 / 2))
    assert both.order_ratio("slow", 0.5)[0] == Span(-math.inf, math.log10(3 / 4))
    table = order_table(both)
    assert table.columns[1:4] == [
        "content at ¼ (clean ≥ 32.5 %)",
        "content at ½ (clean ≥ 55 %)",
        "content at ¾ (clean ≥ 77.5 %)",
    ]
    assert table.rows[0][1:4] == ["2", "never (0 of 1 seeds)", "never (0 of 1 seeds)"]


def test_tables_and_sentences(results):
    assert final_table(results).rows[0][:3] == ["large LR + anneal", "3", "84.0 [81.5, 86.5]"]
    assert difference_table(results, {"large": "small"}).rows[0][2] == "4.0 [1.5, 6.5]"
    assert order_table(results).rows[0][-1] == "3 (2 of 3 seeds: 3)"
    said = " ".join(findings(results))
    assert "large LR + anneal at epoch 3 (learned in 2 of 3 seeds); small LR at epoch 1." in said
    assert "large LR + anneal ends above small LR by 4.0 [1.5, 6.5] points, n = 3 pairs" in said
    assert (
        "Final reliance on the pattern, large LR + anneal − small LR: 0.0 points (3 equal values)"
        in said
    )


def test_a_number_opens_to_its_seeds(results):
    """Means and paired differences, each seed with a link to its run."""
    final = final_table(results).rows[0][2]
    assert str(final) == "84.0 [81.5, 86.5]"
    shown = [(str(seed), value) for seed, value in final.by_seed]
    assert shown == [("seed 0", "85.0"), ("seed 1", "84.0"), ("seed 2", "83.0")]
    difference = difference_table(results, baselines(results)).rows[0][2]
    assert [value for _, value in difference.by_seed] == ["5.0", "4.0", "3.0"]
    rows = dict(re.findall(r'<span id="(run-\d+)">([^<]*)</span>', render(results)))
    assert [rows[seed.to[1:]] for seed, _ in final.by_seed] == [
        "large-seed0",
        "large-seed1",
        "large-seed2",
    ]


def test_a_number_of_one_seed_is_only_a_number(results):
    table = final_table(Results(results.folders[:2]))
    assert not table.has_seeds
    assert "Click a number" not in render(Results(results.folders[:2]))


def test_the_answer_and_its_picture_come_first(results):
    page = render(results)
    answer = page.index(escape(findings(results)[0]))
    assert answer < page.index(">Over the epochs</h2>") < page.index(">Setup</h2>")
    assert page.index(">Setup</h2>") < page.index(">Final accuracy</h2>")


def test_links_within_a_page_lead_somewhere(results):
    page = render(results)
    names = re.findall(r' id="([^"]*)"', page)
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert len(names) == len(set(names))
    assert links >= {"run-1", "part-1"}
    assert links <= set(names)


def test_runs_that_diverged_are_counted_and_left_out(results, tiny, tmp_path):
    lost = fake_run(
        tmp_path / "x", replace(tiny, seed=9), {"arm": "large"}, [0.0], 0.0, status="diverged"
    )
    more = Results([*results.folders, lost])
    assert final_table(more).rows[0][1:3] == ["3, 1 of 4 diverged", "84.0 [81.5, 86.5]"]
    assert more.diverged("large") == [9]
    assert 9 in set(more.frame()["seed"])


def with_lost(results, tiny, tmp_path, arm, seeds):
    """Some results and runs that diverged."""
    return Results([
        *results.folders,
        *(fake_run(tmp_path / f"lost-{arm}{s}", replace(tiny, seed=s), {"arm": arm}, [0.0], 0.0,
                   status="diverged") for s in seeds),
    ])  # fmt: skip


def test_an_arm_that_diverged_is_marked_everywhere(results, tiny, tmp_path):
    more = with_lost(results, tiny, tmp_path, "large", [7, 8])
    title = "large LR + anneal (2 of 5 diverged)"
    assert difference_table(more, {"large": "small"}).rows[0][0] == title
    assert order_table(more).rows[0][0] == title
    assert "a result of every run" in difference_table(more, {"large": "small"}).note
    said = " ".join(findings(more))
    why = "a verdict needs a result of every run"
    assert f"{title} − small LR: 4.0 [1.5, 6.5] points, n = 3 pairs; {why}." in said
    assert "ends above" not in said
    final = more.figure("final_clean")
    assert title in final.layout.yaxis.ticktext
    means = [trace for trace in final.data if "diamond" in str(trace.marker.symbol)]
    assert [trace.marker.symbol for trace in means] == ["diamond-open", "diamond"]
    assert title in {trace.name for trace in more.figure("clean").data}
    assert title in more.figure("conflict").layout.yaxis.ticktext


def test_an_arm_of_which_all_runs_diverged_stays_on_the_picture(results, tiny, tmp_path):
    more = with_lost(results, tiny, tmp_path, "wild", [0, 1])
    for name in ("final_clean", "final_reliance", "conflict", "order"):
        assert "wild (2 of 2 diverged)" in more.figure(name).layout.yaxis.ticktext


def test_every_seed_is_a_dot_beside_its_interval(results):
    for name in ("final_clean", "final_patch_only", "final_reliance"):
        dots = [trace for trace in results.figure(name).data if len(trace.x) > 1]
        assert [len(trace.x) for trace in dots] == [3, 3]
    large = next(t for t in results.figure("final_clean").data if len(t.x) > 1)
    assert large.x == pytest.approx((85, 84, 83))


def test_a_sweep_marks_what_diverged_and_draws_every_seed(tmp_path, tiny):
    points = [({"training.batch_size": size}, 1) for size in ("16", "64")]
    results = sweep(tmp_path, tiny, points)
    labels = {"experiment": "sweep", "arm": "large", "training.batch_size": "64"}
    config = changed(tiny, patch={"contrast": 0.1})
    lost = [
        fake_run(tmp_path / f"lost{seed}", replace(config, seed=seed), labels, [0.0], 0.0,
                 status="diverged") for seed in (5, 6)
    ]  # fmt: skip
    grid = SweepGrid.of(sweep_rows(Results([*results.folders, *lost])))
    assert grid is not None
    clean = grid.figures()[2]
    assert clean.layout.title.text == "Final accuracy, clean images"
    means, dots = clean.data
    assert means.marker.symbol == ("circle", "circle-open")
    assert len(dots.x) == 4
    assert [note.text for note in clean.layout.annotations] == ["✕ 2 of 4 diverged"]
    only_lost = [row for row in sweep_rows(Results(lost)) if "diverged" in row]
    whole = [row for row in sweep_rows(results) if row["training.batch_size"] == "16"]
    grid = SweepGrid.of([*whole, *only_lost])
    assert grid is not None
    assert [note.text for note in grid.figures()[2].layout.annotations] == ["✕ 2 of 2 diverged"]


def test_low_reliance_of_what_learned_nothing_is_labelled(tmp_path, tiny):
    labels = {"experiment": "sweep", "arm": "large", "training.batch_size": "16"}
    other = {**labels, "training.batch_size": "64"}
    folders = [
        fake_run(tmp_path / f"{size}-{seed}", replace(changed(tiny, patch={"contrast": c}),
                 seed=seed), own, [patch] * 3, clean)
        for size, own, c, patch, clean in (("16", labels, 0.1, 0.4, 0.25),
                                           ("64", other, 0.2, 0.95, 0.25))
        for seed in (0, 1)
    ]  # fmt: skip
    results = Results(folders)
    assert [results.undertrained(arm) for arm in results.arms] == [True, False]
    table = final_table(results)
    assert [row[1] for row in table.rows] == ["2, undertrained", "2"]
    assert "not evidence of robustness" in table.note
    grid = SweepGrid.of(sweep_rows(results))
    assert grid is not None
    reliance = grid.figures()[-1]
    assert [note.text for note in reliance.layout.annotations] == ["undertrained"]


def test_one_seed_claims_nothing(tiny, tmp_path):
    folders = [
        fake_run(tmp_path / arm, tiny, {"arm": arm}, [0.9], clean)
        for arm, clean in (("large", 0.9), ("small", 0.5))
    ]
    said = " ".join(findings(Results(folders)))
    assert "a verdict needs at least 3 seeds" in said
    assert "ends above" not in said


def test_no_runs():
    with pytest.raises(RunFolderError, match="no runs"):
        Results([])


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_draws_something(results, name):
    figure = results.figure(name)
    assert any(len(trace.x) for trace in figure.data)
    assert figure.layout.title.text


def test_a_figure_in_a_notebook_has_a_ground_and_ink_of_its_own(results):
    shown = results.figure("clean").layout
    assert (shown.paper_bgcolor, shown.plot_bgcolor) == ("white", "white")
    inks = {shown.font.color, shown.yaxis.gridcolor, shown.yaxis.linecolor, shown.xaxis.linecolor}
    assert not {"white", None} & inks


def test_a_figure_without_a_name(results):
    assert results.figure() == results.figure("patch_only")


def test_experiments_side_by_side_are_not_mixed(tiny, tmp_path):
    """The same arm and seeds in two experiments, and two plain runs, stay apart."""
    folders = []
    for place, clean in (("a", 0.9), ("b", 0.5)):
        config = changed(tiny, patch={"contrast": clean})
        for seed in (0, 1):
            path = tmp_path / place / f"large-seed{seed}"
            labels = {"arm": "large", "experiment": "patch"}
            folders.append(fake_run(path, replace(config, seed=seed), labels, [0.9], clean))
        folders.append(fake_run(tmp_path / f"plain-{place}", config, {}, [0.9], clean / 2))
    results = Results([*folders, folders[0]])
    assert len(results.folders) == 6
    assert results.arms[0] == "large, patch.contrast 0.9"
    assert "large, patch.contrast 0.5" in results.arms
    found = [results.final_estimate(arm, "clean", "accuracy") for arm in results.arms]
    assert sorted((e.mean, e.n) for e in found) == [(0.25, 1), (0.45, 1), (0.5, 2), (0.9, 2)]


def test_unknown_figures_are_refused(results):
    with pytest.raises(KeyError, match="clean"):
        results.figure("pie")


def test_first_epoch_of_nothing():
    assert first_epoch([], [], 0.9) is None


def test_names_are_escaped(tiny, tmp_path):
    bad = "<script>alert(1)</script>"
    folder = fake_run(tmp_path / "run", tiny, {"arm": bad}, [0.5])
    page = render(Results([folder]))
    assert bad not in page
    assert escape(bad) in page


def test_names_run_nothing(browser, tiny, tmp_path):
    """Class, run and arm names that are HTML stand on the page as they are, in figures too."""
    bad = (
        '</script><img src=x onerror="window.ran=1"><script>window.ran=1</script>'
        "<b>%{x}</b> &amp; \udcff \u202e"
    )
    folders = [
        fake_run(tmp_path / f"<b onclick='window.ran=1'>{seed}", replace(tiny, seed=seed),
                 {"arm": arm, "experiment": bad}, [0.5, 0.9])
        for seed in (0, 1) for arm in (bad, "large")
    ]  # fmt: skip
    Image.new("RGB", (8, 8)).save(folders[0].file("examples.png"))
    folders[0].update(examples={"rows": [bad], "columns": [bad]})
    path = write_report(Results(folders), tmp_path / "report.html")
    page = browser.new_page()
    requests = list[str]()
    page.on("request", lambda request: requests.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    assert page.evaluate("window.ran") is None
    assert page.locator("img[src=x]").count() == 0
    assert requests == [path.as_uri()]
    assert page.locator("td", has_text="window.ran=1").count() > 0
    assert page.locator(".gallery thead th", has_text="window.ran=1").count() == 1
    drawn = page.locator(".ytick text").all_text_contents()
    assert any(text.endswith(r"<b>%{x}</b> &amp; \udcff \u202e") for text in drawn)
    page.close()


def test_figures_show_names_as_they_are(tiny, tmp_path):
    """Names of arms and of settings are text: plotly finds no tags, entities or templates in it."""
    bad = "<b>%{x}</b> &amp; \udcff\x1b"
    shown = r"&lt;b&gt;%&#123;x}&lt;/b&gt; &amp;amp; \udcff\x1b"
    folders = [
        fake_run(tmp_path / str(n), replace(tiny, seed=n), {"arm": bad, "a[1]": bad}, [0.5])
        for n in (0, 1)
    ]
    results = Results(folders)
    figure = results.figure("clean")
    assert figure.data[-1].name.startswith(shown)
    assert results.figure("order").data[0].hovertemplate.startswith(shown)
    assert results.figure("final_clean").layout.yaxis.ticktext[0].startswith(shown)
    title = style.layout(figure, bad, bad, bad).layout
    assert [title.title.text, title.xaxis.title.text, title.yaxis.title.text] == [shown] * 3
    page = render(results)
    assert page.encode()
    assert bad not in page
    assert escape(r"<b>%{x}</b> &amp; \udcff\x1b") in page


def test_a_page_of_a_folder_with_any_name(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "a\nb [1]*\udcff", tiny)
    page = write_report(Results([folder]), folder.file("report.html")).read_text(encoding="utf-8")
    assert r"a\nb [1]*\udcff" in page


def test_pending_runs_make_a_page(tiny, tmp_path):
    page = render(Results([RunFolder.create(tmp_path / "run", tiny)]))
    assert "No run has finished: 1 pending." in page


def test_a_page_without_a_patch(tiny, tmp_path):
    plain = changed(tiny, patch={"eligible_share": 0.0})
    page = render(Results([fake_run(tmp_path / "run", plain, {}, [0.5, 0.6])]))
    assert "reliance" not in page.partition("<main>")[2].partition("<script>")[0].lower()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_in_a_browser(browser, results, tmp_path, scheme, width):
    """Every figure is drawn in the theme's colours, nothing complains, nothing is requested."""
    path = write_report(results, tmp_path / "report.html")
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
    complaints, requests = [], []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else 0)
    page.on("pageerror", lambda e: complaints.append(str(e)))
    page.on("request", lambda r: requests.append(r.url))
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    assert complaints == []
    assert [u for u in requests if not u.startswith(("file:", "data:"))] == []
    figures = page.locator(".figure")
    assert figures.count() == 8 + len(MEASURES)
    for box in figures.all():
        assert box.locator("path.js-line, path.point, .point path").count() > 0
        assert box.locator("svg.main-svg").first.bounding_box()["height"] > 150
    ink = page.evaluate("getComputedStyle(document.querySelector('.gtitle')).fill")
    body = page.evaluate("getComputedStyle(document.body).color")
    grounds = page.locator("svg.main-svg").evaluate_all(
        "all => all.map((svg) => getComputedStyle(svg).backgroundColor)"
    )
    assert set(grounds) == {"rgba(0, 0, 0, 0)"}
    assert re.findall(r"\d+", ink)[:3] == re.findall(r"\d+", body)[:3]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_phone_shows_rows_as_cards(browser, results, tmp_path):
    """No table is wider than the screen; each number has its heading beside it."""
    path = write_report(results, tmp_path / "report.html")
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    wide = "[...document.querySelectorAll('.scroll:has(.wide-rows)')].filter("
    assert page.evaluate(wide + "e => e.scrollWidth > e.clientWidth).length") == 0
    cell = page.locator("td[data-label='clean images']").first
    assert cell.is_visible()
    assert cell.bounding_box()["width"] > 250
    page.close()


def test_the_data_of_a_figure_can_be_downloaded(browser, results, tmp_path):
    path = write_report(results, tmp_path / "report.html")
    page = browser.new_page(accept_downloads=True)
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    assert page.locator(".csv").count() == page.locator(".figure").count()
    with page.expect_download() as download:
        page.locator(".csv").first.click()
    assert download.value.suggested_filename == "Pattern-alone.csv"
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    head, first, *_ = csv.reader(text.splitlines())
    assert head == ["name", "epoch", "accuracy, %", "low", "high", "note"]
    assert first[:3] == ["large LR + anneal", "1", "10"]
    assert first[3:5] == ["", ""]  # equal on all seeds: no interval
    page.close()


def test_an_interval_that_is_not_drawn_in_full_is_in_the_data_in_full(browser, tmp_path):
    point = parts.Point({0: 0.01, 1: 0.02, 2: 0.3})
    figure = style.layout(go.Figure(), "Error", "κ", "error, %")
    one = style.line_styles(["S"])["S"]
    parts.add_points(figure, {1.0: point}, "S", one, 100, log_x=True, log_y=True)
    mean, low = 100 * point.estimate.mean, 100 * point.estimate.low
    bars = figure.data[0]
    assert mean - bars.error_y.arrayminus[0] == pytest.approx(mean / 5)
    assert f"{low:.3f}".replace("-", "−") in bars.customdata[0]
    section = Section("Errors", wide=[figure])
    path = write_page(Content("Page", [], [], [section], []), tmp_path / "report.html")
    page = browser.new_page(accept_downloads=True)
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    with page.expect_download() as download:
        page.locator(".csv").click()
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    _, first, *_ = csv.reader(text.splitlines())
    assert [float(value) for value in first[2:4]] == pytest.approx([mean, low])
    page.close()


def test_terms_that_occur_are_explained_as_in_the_glossary(results):
    page = render(results)
    explained = page.partition('class="terms"')[2].partition("</details>")[0]
    assert "<dt>reliance</dt>" in explained
    assert "<dt>rung</dt>" not in explained
    glossary = Path(__file__).parents[1] / "docs" / "glossary.md"
    written = glossary.read_text(encoding="utf-8")
    for term, meaning in TERMS.items():
        assert f"\n{term}\n: {meaning}\n" in written


def test_settings_have_the_names_that_people_use(results):
    shown = render(results).partition("<main>")[2].partition("<pre>")[0]
    assert "learning_rate" not in shown


def test_an_arm_of_which_all_diverged_is_marked_on_curves(results, tiny, tmp_path):
    more = with_lost(results, tiny, tmp_path, "wild", [0, 1])
    for name, text in (("clean", "✕ diverged"), ("final_clean", "✕ diverged")):
        assert text in [note.text for note in more.figure(name).layout.annotations]


def test_printing(browser, results, tmp_path):
    path = write_report(results, tmp_path / "report.html")
    page = browser.new_page(color_scheme="dark")
    page.goto(path.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.close()


def test_no_spread_makes_no_claim(tiny, tmp_path):
    """The same difference in all seeds has an interval of no width, which is no evidence."""
    folders = [
        fake_run(tmp_path / f"{arm}{s}", replace(tiny, seed=s), {"arm": arm}, [0.9], clean)
        for s in range(3)
        for arm, clean in (("large", 0.75), ("small", 0.5))
    ]
    said = " ".join(findings(Results(folders)))
    assert "identical values on fewer than 6 seeds are inconclusive" in said
    assert "ends above" not in said


def test_unknown_arms_and_sets_are_refused(results):
    with pytest.raises(KeyError, match="small"):
        results.final("smal", "clean", "accuracy")
    with pytest.raises(KeyError, match="patch_only"):
        results.final("small", "patched", "accuracy")


def sweep(tmp_path, tiny, points, arms=("large",)):
    """A sweep whose runs know the pattern from an epoch of their own."""
    folders = []
    for number, (settings, learned) in enumerate(points):
        for arm in arms:
            for seed in (0, 1):
                curve = [0.1 if e < learned else 0.95 for e in range(1, 4)]
                clean = [0.2, 0.9, 0.9]  # the content is learned at epoch 2
                labels = {"experiment": "sweep", "arm": arm, **settings}
                config = replace(changed(tiny, patch={"contrast": number / 10}), seed=seed)
                path = tmp_path / f"{arm}-{number}-{seed}"
                folders.append(fake_run(path, config, labels, curve, clean))
    return Results(folders)


def test_a_sweep_over_two_settings_is_a_plane(tmp_path, tiny):
    """Settings that vary together are one axis; numbers are in order of size."""
    points = [
        ({"learning_rate.initial": rate, "learning_rate.step_factor": factor, "patch.contrast": c},
         epoch)
        for rate, factor, low, high in (("1", "0.02", 1, 9), ("0.5", "0.04", 2, 9))
        for c, epoch in (("0.9", low), ("0.3", high))
    ]  # fmt: skip
    results = sweep(tmp_path, tiny, points)
    grid = SweepGrid.of(sweep_rows(results))
    assert grid is not None
    assert grid.axes == ("learning_rate.initial", "patch.contrast")
    assert grid.values == (["0.5", "1"], ["0.3", "0.9"])
    first, *others = grid.figures()
    assert [f.layout.title.text for f in others] == [
        f"{what}: large LR + anneal"
        for what in (
            "Final accuracy, pattern alone",
            "Final accuracy, clean images",
            "Final reliance on the pattern",
        )
    ]
    (heat,) = first.data
    # in three epochs never is epoch 4 at the earliest, against the content's epoch 2
    first_lines = [[text.partition("<br>")[0] for text in row] for row in heat.text]
    assert first_lines == [["content > 2.0×", "content > 2.0×"], ["together", "pattern 2.0×"]]
    assert heat.text[1][1] == "pattern 2.0×<br>½: pattern 2.0×<br>¾: pattern 2.0×"
    assert "Over the grid" in render(results)


def test_a_sweep_over_one_setting_is_a_row(tmp_path, tiny):
    points = [({"training.batch_size": size}, epoch) for size, epoch in (("64", 2), ("16", 1))]
    results = sweep(tmp_path, tiny, points, arms=("large", "small"))
    grid = SweepGrid.of(sweep_rows(results))
    assert grid is not None
    first, *_ = grid.figures()
    lines = [trace for trace in first.data if trace.mode == "lines"]
    assert [trace.name for trace in lines] == ["large LR + anneal", "small LR"]
    assert first.layout.xaxis.ticktext == ("16", "64")
    assert lines[0].y == pytest.approx((-0.30103, 0.0))


def test_an_order_of_which_a_bound_is_known_is_drawn_as_one(tmp_path, tiny):
    """Never in three epochs, and the content at epoch 2: more than 4/2 times later."""
    points = [({"training.batch_size": size}, epoch) for size, epoch in (("64", 9), ("16", 3))]
    grid = SweepGrid.of(sweep_rows(sweep(tmp_path, tiny, points)))
    assert grid is not None
    line, marks = grid.figures()[0].data
    assert line.y == pytest.approx((math.log10(1.5),)), "a median that is a bound has no line"
    assert marks.y == pytest.approx((math.log10(1.5),) * 2 + (math.log10(2),) * 2)
    assert marks.marker.symbol == ("circle",) * 2 + ("triangle-up-open",) * 2


def test_recorded_orders_keep_their_bounds():
    row = {"first": 0.5, "seed": 0}
    assert row_orders(row) == {"as recorded": Span.at(0.5)}
    assert row_orders({**row, "first_bound": "low"})["as recorded"] == Span(0.5, math.inf)
    assert row_orders({**row, "first_bound": "high"})["as recorded"] == Span(-math.inf, 0.5)
    open_ = Span(-math.inf, math.inf)
    assert row_orders({"seed": 0, "first_bound": "both"})["as recorded"] == open_
    assert row_orders({"seed": 0}) == {}


def test_a_cell_in_which_nobody_learns_says_so(tmp_path, tiny):
    """Neither pattern nor content is learned at one point: it has no order, and the page stands."""
    points = [({"training.batch_size": size}, 1) for size in ("16", "64")]
    results = sweep(tmp_path, tiny, points)
    rows = sweep_rows(results)
    for row in rows:
        if row["training.batch_size"] == "64":
            for name in [name for name in row if "_at" in name]:
                del row[name]
    grid = SweepGrid.of(rows)
    assert grid is not None
    assert grid.figures()[0].layout.xaxis.ticktext == ("16", "64")
    assert len(grid.figures()[0].data[0].x) == 1
    planes = [{**row, "patch.contrast": c} for row in rows for c in ("0.3", "0.6")]
    grid = SweepGrid.of(planes)
    assert grid is not None
    (heat,) = grid.figures()[0].data
    assert [row[1] for row in heat.z] == [None, None]
    assert [row[1] for row in heat.text] == ["neither<br>½: neither<br>¾: neither"] * 2


def test_seeds_that_learn_different_things_are_not_neither(tmp_path, tiny):
    """One seed learns the content alone and one the pattern alone: both orders are possible."""
    points = [({"training.batch_size": size, "patch.contrast": c}, 1)
              for size in ("16", "64") for c in ("0.3", "0.6")]  # fmt: skip
    rows = sweep_rows(sweep(tmp_path, tiny, points))
    for row in rows:
        missing = "pattern_at" if row["seed"] == 0 else "content_at"
        for name in [name for name in row if name.startswith(missing)]:
            del row[name]
    grid = SweepGrid.of(rows)
    assert grid is not None
    (heat,) = grid.figures()[0].data
    assert {text for row in heat.text for text in row} == {"open<br>½: open<br>¾: open"}


def test_a_constant_rate_belongs_to_the_axis_of_annealed_ones(tmp_path, tiny):
    """As in the sweeps of studies/carry: the steps follow from the learning rate."""
    points = [
        ({"learning_rate.initial": rate, "learning_rate.step_epochs": steps,
          "learning_rate.step_factor": factor, "patch.contrast": contrast}, 1)
        for rate, steps, factor in (("0.02", "[]", "None"), ("0.1", "[20]", "0.2"),
                                    ("0.3", "[20]", "0.0667"))
        for contrast in ("0.3", "0.9")
    ]  # fmt: skip
    grid = SweepGrid.of(sweep_rows(sweep(tmp_path, tiny, points)))
    assert grid is not None
    assert grid.axes == ("learning_rate.initial", "patch.contrast")


def test_what_varies_with_a_setting_stands_beside_it(tmp_path, tiny):
    points = [({"learning_rate.initial": rate, "noise.level.initial": noise}, 1)
              for rate, noise in (("0.1", "0"), ("1", "0.5"))]  # fmt: skip
    grid = SweepGrid.of(sweep_rows(sweep(tmp_path, tiny, points)))
    assert grid is not None
    assert grid.axes == ("learning_rate.initial, noise.level.initial",)


def test_arms_are_compared_at_the_same_settings(tmp_path, tiny):
    folders = []
    for contrast in (0.3, 0.6):
        config = changed(tiny, patch={"contrast": contrast})
        for seed, (arm, clean) in itertools.product((0, 1), (("large", 0.9), ("small", 0.5))):
            labels = {"experiment": "sweep", "arm": arm, "patch.contrast": f"{contrast:g}"}
            own = replace(
                config, seed=seed, learning_rate=Schedule(0.1 if arm == "large" else 0.01)
            )
            path = tmp_path / f"{arm}-{contrast}-{seed}"
            folders.append(fake_run(path, own, labels, [0.1], clean + contrast / 10 + seed / 100))
    results = Results(folders)
    small = "small, patch.contrast {}".format
    assert baselines(results) == {
        f"large, patch.contrast {contrast}": small(contrast) for contrast in ("0.3", "0.6")
    }
    table = difference_table(results, baselines(results))
    assert table.title == "Difference at the same settings"
    assert table.rows[0][0] == "large LR + anneal − small LR, contrast of the patch 0.3"
    assert [row[2].split()[0] for row in table.rows] == ["40.0", "40.0"]


def test_a_run_that_was_made_twice_counts_once(results, tiny, tmp_path, caplog):
    again = fake_run(
        tmp_path / "again", replace(tiny, seed=1), {"arm": "small"}, [0.5] * 3, status="failed"
    )
    twice = Results([again, *results.folders])
    assert twice.counts("small") == {"finished": 3}
    assert again not in twice.folders
    assert "1 of 7 runs are duplicates" in caplog.text


def test_three_settings_are_no_plane(tmp_path, tiny):
    points = [
        ({"a": str(a), "b": str(b), "c": str(c)}, 1) for a in (1, 2) for b in (1, 2) for c in (1, 2)
    ]
    assert SweepGrid.of(sweep_rows(sweep(tmp_path, tiny, points))) is None


def test_notes_of_several_lines_at_a_setting_stand_side_by_side():
    figure = go.Figure()
    parts.annotate_above(figure, {0.1: "1 of 5 diverged", 0.2: ""}, "blue")
    parts.annotate_above(figure, {0.1: "1 of 5 diverged", 0.2: "5 of 5 diverged"}, "red")
    shifts = [(note.x, note.xshift) for note in figure.layout.annotations]
    assert [x for x, _ in shifts] == [0.1, 0.1, 0.2]
    assert shifts[0][1] == shifts[2][1] == 0
    assert shifts[1][1] > 11, "more than the size of the letters"
