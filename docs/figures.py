"""Draw the pictures of README and docs from the committed records.

``python docs/figures.py`` reads ``results/demo/patch``, writes ``docs/_static/demo-*.png`` and
prints README's table; it needs Chromium and the extra ``test``.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import Browser, Playwright, sync_playwright
from plotly.offline import get_plotlyjs

import learnorder
from learnorder.report.tables import median_epoch
from learnorder.report.titles import arm_titles

ROOT = Path(__file__).parents[1]
PICTURES = {
    "demo-curves": (".legend, .panels", ".panels .figure:nth-child(n + 4)"),
    "demo-conflict": (".wide .figure:last-child", None),
    "demo-gallery": (".gallery", None),
}
"""Name of each picture: the parts of the report it shows, and what is left out of them."""


def launch(playwright: Playwright) -> Browser:
    """Start Chromium."""
    return playwright.chromium.launch(
        executable_path=shutil.which("chromium"), args=["--no-sandbox"]
    )


def take(browser: Browser, report: Path, name: str, shown: str, hidden: str | None) -> None:
    """Photograph parts of a report, one below the other, as a picture of this name."""
    page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=2)
    page.goto(report.as_uri())
    page.wait_for_function("document.body.dataset.drawn")
    page.evaluate(
        """([shown, hidden]) => {
            const parts = [...document.querySelectorAll(shown)];
            if (hidden) document.querySelectorAll(hidden).forEach((part) => part.remove());
            const box = document.createElement("div");
            box.id = "picture";
            box.style.cssText = "width: 1080px; padding: 12px; background: white";
            document.body.prepend(box);
            parts.forEach((part) => box.append(part));
        }""",
        [shown, hidden],
    )
    page.wait_for_timeout(300)
    page.locator("#picture").screenshot(path=ROOT / "docs" / "_static" / f"{name}.png")
    page.close()


def photograph(browser: Browser, figure: go.Figure, path: Path) -> None:
    """Save a figure as a picture."""
    page = browser.new_page(viewport={"width": 760, "height": 600}, device_scale_factor=2)
    body = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    page.set_content(
        f'<script>{get_plotlyjs()}</script><div id="picture" style="width:740px">{body}</div>'
    )
    page.wait_for_timeout(700)
    page.locator("#picture").screenshot(path=path)
    page.close()


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def readme_table(results: learnorder.Results) -> str:
    """Return README's table of the committed records, in Markdown."""
    titles, rows = arm_titles(results), []
    for arm in results.arms:
        cells = [
            titles[arm],
            results.final_estimate(arm, "clean", "accuracy").format(100),
            results.final_estimate(arm, "patch_only", "accuracy").format(100),
            median_epoch(results.learned(arm, "patch")),
            results.final_estimate(arm, "conflict", "reliance").format(100),
        ]
        rows.append(cells)
    columns = ["arm", "clean images", "pattern alone", "learned at epoch", "reliance"]
    lines = [markdown(columns, rows)]
    for arm in ("large", "small_noise"):
        difference = results.final_difference(arm, "small", "clean", "accuracy")
        lines.append(f"\n{titles[arm]} − small LR, clean images: {difference.format(100)}")
    return "\n".join(lines)


def main() -> None:
    """Build the report of the committed records, photograph it, and print README's table."""
    results = learnorder.open_runs(ROOT / "results" / "demo" / "patch")
    print(readme_table(results))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        learnorder.write_report(results, report)
        browser = launch(playwright)
        for name, (shown, hidden) in PICTURES.items():
            take(browser, report, name, shown, hidden)
        browser.close()


if __name__ == "__main__":
    main()
