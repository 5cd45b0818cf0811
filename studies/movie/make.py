"""Draw ``docs/_static/learning.gif`` from the records of the patch experiment at laptop scale.

``python -m studies.movie.make`` needs Chromium and the extra ``test``; it takes half a minute. The
scenes are in ``movie.html``: its function ``draw(seconds)`` shows one moment.
"""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import ViewportSize, sync_playwright

from learnorder.images.sheets import example_images
from learnorder.runs.opening import open_runs
from learnorder.runs.results import Results
from studies.common import RESULTS, ROOT
from studies.records import unpacked

TARGET = ROOT / "docs" / "_static" / "learning.gif"
SECONDS, FRAMES_A_SECOND, COLORS = 60, 5, 64
_LAST = 6
"""Seconds for which the last frame stands still."""
_WIDTH, _HEIGHT, _SCALE = 760, 440, 1.5
_COLUMN = 4
"""The class whose example is shown."""


def story(runs: Path) -> dict[str, Any]:
    """Return the numbers and pictures of the animation; ``runs`` has the unpacked records."""
    results = open_runs(runs / "laptop" / "patch", of=Results)
    arms = {}
    for arm in ("small", "large"):
        schedule = results.runs_of(arm)[0].config.learning_rate
        epochs = results.epochs(arm)
        follows = results.final_estimate(arm, "conflict", "share_pattern")
        clean = results.final_estimate(arm, "clean", "accuracy")
        arms[arm] = {
            **{
                name: [100 * e.mean for e in results.curve(arm, set_, "accuracy").values()]
                for name, set_ in (("pattern", "patch_only"), ("clean", "clean"))
            },
            "rates": [schedule.at(epoch) for epoch in range(1, epochs + 1)],
            "final": clean.format(100, 0),
            "follows": follows.format(100, 0),
        }
    config = results.runs_of("large")[0].config
    return {
        "arms": arms,
        "anneal": config.learning_rate.step_epochs[0],
        "share": 100 * config.patch.eligible_share,
        "seeds": len(results.final("large", "clean", "accuracy")),
        "images": config.data.train_examples,
        "side": config.data.resolution,
        "pictures": pictures(results),
        "seconds": SECONDS,
    }


def pictures(results: Results) -> dict[str, str]:
    """Return an example without the pattern, with it, and the pattern alone, as data URLs."""
    gallery = example_images(results.folders)
    assert gallery is not None
    return {title: tiles[_COLUMN] for title, tiles in gallery.rows}


def frames(told: dict[str, Any]) -> list[Image.Image]:
    """Return the frames."""
    page_text = Path(__file__).with_name("movie.html").read_text(encoding="utf-8")
    shots = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        size: ViewportSize = {"width": _WIDTH, "height": _HEIGHT}
        page = browser.new_page(viewport=size, device_scale_factor=_SCALE)
        page.set_content(page_text.replace("{/*story*/}", json.dumps(told)))
        for frame in range((SECONDS - _LAST) * FRAMES_A_SECOND + 1):
            page.evaluate("seconds => draw(seconds)", frame / FRAMES_A_SECOND)
            with Image.open(io.BytesIO(page.screenshot())) as shot:
                shots.append(shot.convert("RGB"))
        browser.close()
    return shots


def write(shots: list[Image.Image], target: Path) -> None:
    """Write frames as an endless GIF with one palette."""
    width, height = shots[0].size
    shown = (shots[8 * FRAMES_A_SECOND], shots[len(shots) // 2], shots[-1])
    sample = Image.new("RGB", (width, len(shown) * height))
    for place, shot in enumerate(shown):
        sample.paste(shot, (0, place * height))
    palette = sample.quantize(COLORS)
    first, *others = (shot.quantize(palette=palette, dither=Image.Dither.NONE) for shot in shots)
    durations = [1000 // FRAMES_A_SECOND] * len(others) + [1000 * _LAST]
    first.save(target, save_all=True, append_images=others, duration=durations, loop=0)


def main() -> None:
    """Write the animation."""
    with unpacked(RESULTS) as runs:
        told = story(runs)
    write(frames(told), TARGET)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
