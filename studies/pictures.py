"""Pictures of figures and of parts of pages, by Chromium; needs the extra ``test``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import Browser, sync_playwright
from plotly.offline import get_plotlyjs

from studies.common import ROOT, Shot


def draw(pictures: Mapping[str, go.Figure | Shot]) -> None:
    """Write pictures to ``docs/_static``, each by the name of its file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, picture in pictures.items():
            path = ROOT / "docs" / "_static" / f"{name}.png"
            if isinstance(picture, Shot):
                _photograph_parts(browser, picture, path)
            else:
                _photograph(browser, picture, path)
        browser.close()


def _photograph_parts(browser: Browser, shot: Shot, path: Path) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 900}, device_scale_factor=2)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        shot.write(source)
        page.goto(source.as_uri())
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
        [shot.shown, shot.hidden],
    )
    page.wait_for_timeout(300)
    page.locator("#picture").screenshot(path=path)
    page.close()


def _photograph(browser: Browser, figure: go.Figure, path: Path) -> None:
    width = int(figure.layout.width or 740)  # pyright: ignore
    page = browser.new_page(viewport={"width": width + 20, "height": 600}, device_scale_factor=2)
    body = figure.to_html(full_html=False, include_plotlyjs=False, config={"displayModeBar": False})
    page.set_content(
        f'<script>{get_plotlyjs()}</script><div id="picture" style="width:{width}px">{body}</div>'
    )
    page.wait_for_timeout(700)
    page.locator("#picture").screenshot(path=path)
    page.close()
