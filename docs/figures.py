"""Draw the pictures of README and docs from the committed records.

``python docs/figures.py`` reads ``results/demo/patch`` and writes ``docs/_static/demo-*.png``;
it needs Chromium and the extra ``test``.
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
            document.querySelectorAll(".csv").forEach((link) => link.remove());
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


def fill_readme(name: str, table: str) -> None:
    """Put a table between README's marks of a name."""
    path = Path(__file__).parents[1] / "README.md"
    head, mark, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, tail = rest.partition(f"<!-- end of {name} -->")
    assert mark
    assert end
    path.write_text(f"{head}{mark}\n{table}\n\n{end}{tail}", encoding="utf-8")


def main() -> None:
    """Build the report of the committed records, and photograph it."""
    results = learnorder.open_runs(ROOT / "results" / "demo" / "patch")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        learnorder.write_report(results, report)
        browser = launch(playwright)
        for name, (shown, hidden) in PICTURES.items():
            take(browser, report, name, shown, hidden)
        browser.close()


if __name__ == "__main__":
    main()
