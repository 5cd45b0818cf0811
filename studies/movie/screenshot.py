"""Photograph the movie of two runs of the patch demo for ``docs/_static/movie-demo.png``.

``python -m studies.movie.screenshot`` needs Chromium and the extra ``test``; it takes a minute. It
shows the epoch before the anneal.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

from learnorder.images.experiment import ImageExperiment
from learnorder.images.movie.page import write_movie
from learnorder.images.run import recipe, run_train
from learnorder.runs.opening import open_runs
from learnorder.runs.results import Results
from studies.common import ROOT

TARGET = ROOT / "docs" / "_static" / "movie-demo.png"
_IMAGES = 32
_SIZE: ViewportSize = {"width": 1200, "height": 1000}


def with_snapshots(experiment: ImageExperiment) -> ImageExperiment:
    """Return an experiment whose runs keep snapshots."""
    return replace(experiment, training=replace(experiment.training, snapshots=_IMAGES))


def photograph(page: Path, epoch: int) -> None:
    """Write the top of a movie at an epoch as a PNG."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shown = browser.new_page(viewport=_SIZE)
        shown.goto(f"{page.as_uri()}#epoch={epoch}&image=6")
        shown.wait_for_function("document.body.dataset.epoch")
        shown.screenshot(path=TARGET)
        browser.close()


def main() -> None:
    """Make the runs, their movie and its picture."""
    demo = with_snapshots(recipe("demo"))
    with tempfile.TemporaryDirectory() as folder:
        for arm in ("large", "small"):
            run_train(demo.run(arm, seed=0), Path(folder) / arm)
        movie = write_movie(open_runs(folder, of=Results), Path(folder) / "movie.html")
        photograph(movie, demo.arms.large.learning_rate.step_epochs[0] - 1)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
