"""Pages as they are met with a screen reader, by keyboard, and by people who see little."""

import itertools
from dataclasses import replace

import pytest

import learnorder
from learnorder.images.movie.page import write_movie
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.results import Results
from learnorder.schedules import Schedule
from learnorder.theory.explorer.page import write_explorer

from .conftest import changed, new_page, tiny_run

PAGES = ("explorer", "movie", "report")
CONTROLS = {"button", "checkbox", "combobox", "link", "radio", "slider", "DisclosureTriangle"}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """An explorer, the movie of two runs, and their report."""
    folder = tmp_path_factory.mktemp("pages")
    config = changed(tiny_run(), training={"snapshots": 12, "dynamics": True})
    runs = []
    for arm, rate in (("large", config.learning_rate), ("small", Schedule(0.01))):
        run = RunFolder.create(folder / arm, replace(config, learning_rate=rate), {"arm": arm})
        execute(run)
        runs.append(RunFolder(run.path))
    results = Results(runs)
    return {
        "explorer": write_explorer(folder / "explorer.html"),
        "movie": write_movie(results, folder / "movie.html"),
        "report": learnorder.write_report(results, folder / "report.html"),
    }


def opened(page, paths, name):
    """Open a page and bring out what it shows only when asked."""
    page.goto(paths[name].as_uri())
    if name == "explorer":
        page.wait_for_function("document.body.dataset.ready === 'yes'")
        page.click("#step")
        page.wait_for_function("finite.time > 0")
    elif name == "movie":
        page.click(".thumb >> nth=4")
    else:
        page.wait_for_function("document.body.dataset.drawn")
    return page


@pytest.fixture(scope="module", params=PAGES)
def shown(request, browser, paths):
    """A page that is opened once, for tests that only look at it."""
    with new_page(browser) as page:
        yield opened(page, paths, request.param)


def exposed(page):
    """Return (role, name, level) of what the browser hands to a screen reader, in its order."""
    session = page.context.new_cdp_session(page)
    nodes = {n["nodeId"]: n for n in session.send("Accessibility.getFullAXTree")["nodes"]}
    found, waiting = [], [next(iter(nodes.values()))]
    while waiting:
        node = waiting.pop()
        waiting += [nodes[i] for i in reversed(node["childIds"]) if i in nodes]
        if not node["ignored"]:
            properties = {p["name"]: p["value"].get("value") for p in node["properties"]}
            role = node["role"]["value"]
            found.append((role, node["name"]["value"].strip(), properties.get("level")))
    return found


def test_everything_has_a_name(shown):
    found = exposed(shown)
    assert len([role for role, *_ in found if role in CONTROLS]) >= 15
    assert [
        role for role, name, _ in found if role in CONTROLS | {"image", "table"} and not name
    ] == []
    assert not any("NaN" in text or "undefined" in text for _, text, _ in found)
    assert shown.get_attribute("html", "lang") == "en"


def test_headings_go_down_one_level_at_a_time(shown):
    levels = [level for role, _, level in exposed(shown) if role == "heading"]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


CONTRASTS = """() => {
  const parse = (color) => {
    const [r, g, b, alpha = 1] = color.match(/[\\d.]+/g).map(Number);
    return [r, g, b, alpha];
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]));
  const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const within = (one) => (one ? [...within(one.parentElement), one] : []);
  const hasText = (one) => [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const onMark = (one) => one.closest(".bartext, #chart-order svg");
  const texts = [...document.querySelectorAll("body *:not(script, style, noscript)")];
  return texts.filter((one) => hasText(one) && one.checkVisibility() && !onMark(one)).map((one) => {
    const grounds = within(one).map((each) => parse(getComputedStyle(each).backgroundColor));
    const ground = grounds.reduce((below, top) => over(top, below), [255, 255, 255]);
    const opacity = within(one).reduce((all, each) => all * getComputedStyle(each).opacity, 1);
    const color = getComputedStyle(one)[one.namespaceURI.endsWith("svg") ? "fill" : "color"];
    const [r, g, b, alpha] = parse(color);
    const both = [over([r, g, b, alpha * opacity], ground), ground].map(luminance);
    return [one.textContent.trim(), (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05)];
  });
}"""


def test_text_stands_out(shown):
    """The contrast of WCAG 2.2, 1.4.3; text on marks of charts is left out."""
    check_contrasts(shown)


@pytest.mark.parametrize("name", PAGES)
def test_text_stands_out_in_the_dark(page, paths, name):
    page.emulate_media(color_scheme="dark")
    check_contrasts(opened(page, paths, name))


def check_contrasts(page):
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 100
    assert [(text, contrast) for text, contrast in contrasts if contrast < 4.5] == []


STOP = """() => {
  const one = document.activeElement;
  if (one === document.body) return null;
  const { left, top, width, height } = one.getBoundingClientRect();
  const shown = document.elementFromPoint(left + width / 2, top + height / 2);
  window.stops ||= [];
  if (!window.stops.includes(one)) window.stops.push(one);
  return { at: window.stops.indexOf(one), words: one.id || one.textContent.slice(0, 30),
    outlined: getComputedStyle(one).outlineStyle !== "none",
    seen: shown !== null && (one.contains(shown) || shown.contains(one)) };
}"""


def walk(page, key):
    """Press a key until the focus leaves the page or begins again; return where it stopped."""
    stops = list[dict]()
    for _ in range(200):
        page.keyboard.press(key)
        stop = page.evaluate(STOP)
        if stop is None or (stops and stop["at"] == stops[0]["at"]):
            return stops
        stops.append(stop)
    pytest.fail("the focus does not leave the page")


@pytest.mark.parametrize("name", PAGES)
def test_the_focus_is_seen_and_never_caught(page, paths, name):
    """Forwards and backwards it stops at the same places, none below a bar."""
    page.goto(paths[name].as_uri())
    page.wait_for_selector("body:is([data-ready=yes], [data-epoch], [data-drawn])")
    stops = walk(page, "Tab")
    assert len(stops) > 10
    back = walk(page, "Shift+Tab")
    assert [stop["at"] for stop in back] == [stop["at"] for stop in reversed(stops)]
    for stop in stops + back:
        assert stop["outlined"], stop
        assert stop["seen"], stop


HEARD = """() => {
  window.heard = [];
  const live = "[role=status], [role=alert], output, [aria-live=polite], [aria-live=assertive]";
  for (const region of document.querySelectorAll(live))
    new MutationObserver(() => {
      if (region.ariaBusy !== "true") heard.push(region.textContent);
    }).observe(region, { childList: true, characterData: true, subtree: true });
}"""


@pytest.mark.parametrize("shown", ["explorer"], indirect=True)
def test_sliders_say_values_with_units(shown):
    sliders = shown.locator("input[type=range]")
    said = sliders.evaluate_all("all => all.map((one) => one.ariaValueText)")
    assert said == [
        "1 times η*", "automatic", "30 times τ0", "1,000", "10 to the power of minus 4",
        "1, 100 dimensions", "10 to the power of minus 5", "6 % of the examples",
        "200 units in each half",
    ]  # fmt: skip
    for value, words in ((-0.003, "−3 times 10 to the power of minus 3"), (0, "0"), (-27, "−27")):
        assert shown.evaluate("(value) => numberWords(value)", value) == words


def press_and_listen(page, paths, control, key):
    """Press a key on a control of the explorer, and listen to what is announced."""
    opened(page, paths, "explorer")
    page.evaluate(HEARD)
    page.focus(control)
    page.keyboard.press(key)


def test_a_change_of_the_explorer_is_announced_once(page, paths):
    press_and_listen(page, paths, "#slider-eta", "Home")
    page.wait_for_function("document.body.dataset.ready === 'yes'")
    heard = [text for text in page.evaluate("heard") if text]
    assert len(heard) == 1
    assert "L-S learns Q first" in heard[0]


def test_the_finite_networks_are_announced_at_the_end_and_keep_the_focus(page, paths):
    press_and_listen(page, paths, "#play", "Enter")
    page.wait_for_function("finite.time > 1")
    assert page.evaluate("heard") == []
    page.evaluate(
        "finite.ticket += 1; showFrames(finite.frames.map((frame) => ({ ...frame, ended: true })))"
    )
    assert page.get_attribute("#play", "aria-disabled") == "true"
    assert page.evaluate("document.activeElement.id") == "play"
    heard = page.evaluate("heard")
    assert len(heard) == 1
    assert "learns" in heard[0]
    page.keyboard.press("Enter")
    assert page.inner_text("#play") == "Play"


def test_a_movie_is_announced_when_it_rests(page, paths):
    page.clock.install(time=0)
    page.goto(paths["movie"].as_uri())
    page.clock.run_for(1000)
    page.evaluate(HEARD)
    page.focus("#epoch")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
        page.clock.run_for(200)
    assert page.evaluate("heard") == []
    page.clock.run_for(1000)
    (heard,) = page.evaluate("heard")
    assert heard.startswith("Epoch 3. large LR + anneal: learning rate 0.01, ")
    page.click("#play")
    page.clock.run_for(600)
    assert page.inner_text("#now") == "epoch 2 of 3"
    assert page.evaluate("heard.length") == 1
    page.clock.run_for(2000)
    assert page.inner_text("#now") == "epoch 3 of 3"
    assert page.evaluate("heard.length") == 1  # the same words as before


def test_with_reduced_motion_a_movie_changes_once_a_second(page, paths):
    page.emulate_media(reduced_motion="reduce")
    page.clock.install(time=0)
    page.goto(paths["movie"].as_uri())
    page.clock.pause_at(3_600_000)  # from here on, time passes only as the test has it
    page.click("#play")
    page.clock.run_for(900)
    assert page.inner_text("#now") == "epoch 1 of 3"
    page.clock.run_for(200)
    assert page.inner_text("#now") == "epoch 3 of 3"


@pytest.mark.parametrize("shown", ["report"], indirect=True)
def test_figures_of_a_report_say_what_they_show(shown, paths):
    said = [name for role, name, _ in exposed(shown) if role == "image"]
    results = learnorder.open_runs(paths["report"].parent)
    accuracy = results.final("small", "clean", "accuracy")[0]
    curve = next(name for name in said if name.startswith("Clean images. accuracy, % by epoch."))
    assert curve.endswith(f"small LR: {100 * accuracy:.1f} at epoch 3")
    order = next(name for name in said if name.startswith("Epoch of learning."))
    assert "small LR, patch, seed 0: never" in order


def test_tables_of_a_report_stay_tables_on_a_phone(page, paths):
    """Rows that are drawn as cards have their headers, and no heading is said twice."""
    opened(page, paths, "report")
    phone = tables_of(page)
    assert phone.count(("rowheader", "small LR")) >= 3
    assert ("columnheader", "clean images") in phone
    parts = page.locator(".wide-rows, .wide-rows :is(thead, tbody, tr, th, td)")
    assert not parts.and_(page.locator(":not([role])")).count()  # WebKit keeps given roles alone
    page.set_viewport_size({"width": 1200, "height": 900})
    assert phone == tables_of(page)


def tables_of(page):
    """Return (role, name) of all tables and their parts."""
    roles = {"table", "rowgroup", "row", "columnheader", "rowheader", "cell"}
    return [(role, name) for role, name, _ in exposed(page) if role in roles]
