"""Draw the pictures of README and docs from the committed records.

``python docs/figures.py`` reads ``results/demo/patch``, writes ``docs/_static/demo-*.png`` and
prints README's table; it needs Chromium and the extra ``test``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

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


def take(page: Page, name: str, shown: str, hidden: str | None) -> None:
    """Photograph parts of the report, one below the other."""
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


def readme_table(results: learnorder.Results) -> str:
    """Return README's table of the committed records, in Markdown."""
    lines = [
        "| arm | clean images | pattern alone | learned at epoch | reliance |",
        "|---|---|---|---|---|",
    ]
    titles = arm_titles(results)
    for arm in results.arms:
        cells = [
            results.final_estimate(arm, "clean", "accuracy").format(100),
            results.final_estimate(arm, "patch_only", "accuracy").format(100),
            median_epoch(results.learned(arm, "patch")),
            results.final_estimate(arm, "conflict", "reliance").format(100),
        ]
        lines.append(f"| {titles[arm]} | {' | '.join(cells)} |")
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
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (shown, hidden) in PICTURES.items():
            page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=2)
            page.goto(report.as_uri())
            page.wait_for_function("document.body.dataset.drawn")
            take(page, name, shown, hidden)
        browser.close()


if __name__ == "__main__":
    main()
