"""What the movie of runs on images shows, as plain values."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from learnorder.config.settings import RunConfig
from learnorder.errors import RunFolderError
from learnorder.report.style import line_styles
from learnorder.report.titles import MOST_ARMS, arm_titles
from learnorder.runs import RunFolder
from learnorder.runs.plain_text import visible
from learnorder.runs.results import Results
from learnorder.runs.snapshots import KeptSnapshots, ShownImage, read_snapshots

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Kept = dict[int, dict[str, KeptSnapshots]]

_CURVES = {
    "accuracy": ("clean", "accuracy"),
    "reliance": ("conflict", "reliance"),
    "rate": ("run", "learning_rate"),
}
"""Set and quantity of each curve of the page."""


def movie_data(results: Results) -> dict[str, Any]:
    """Return what the page shows of the finished runs that have kept snapshots.

    Raises:
        RunFolderError: There is none, they cannot be read, there are more than eight arms, or runs
            of a seed show different images.
    """
    kept = _kept(results)
    arms = [arm for arm in results.arms if any(arm in of_seed for of_seed in kept.values())]
    if len(arms) > MOST_ARMS:
        raise RunFolderError(
            f"There are {len(arms)} arms, and a movie shows at most {MOST_ARMS} side by side. Give "
            "the folders of some of the runs."
        )
    titles, styles = arm_titles(results), line_styles(results.arms)
    return {
        "arms": [
            {
                "name": arm,
                "title": visible(titles[arm]),
                "color": styles[arm].color,
                "dash": styles[arm].svg_dashes(),
            }
            for arm in arms
        ],
        "classes": [visible(name) for name in _classes(results, kept)],
        "seeds": {
            str(seed): {
                "images": [_image(image) for image in _images(kept[seed], seed)],
                "runs": {arm: _run(results, arm, seed, kept[seed][arm]) for arm in kept[seed]},
            }
            for seed in sorted(kept)
        },
        "missing": _missing(results, kept, titles),
    }


def _kept(results: Results) -> Kept:
    """Return the snapshots of finished runs by seed and arm."""
    kept: Kept = {}
    for folder in results.folders:
        if results.is_finished(folder) and (found := read_snapshots(folder)) is not None:
            kept.setdefault(folder.config.seed, {})[results.arm_of(folder)] = found
    if kept:
        return kept
    if any(folder.config.training.snapshots for folder in results.folders):
        raise RunFolderError(
            "No run that keeps snapshots has finished. Continue the runs with the command that "
            "made them, then write the movie."
        )
    raise RunFolderError(
        "No run has kept snapshots. Make the runs with --training.snapshots 32 and another --out, "
        "then write their movie."
    )


def _classes(results: Results, kept: Kept) -> list[str]:
    """Return the names of the classes, which all runs share."""
    names = {
        tuple(results.described[folder].classes)
        for folder in results.folders
        if results.arm_of(folder) in kept.get(folder.config.seed, {})
    }
    if len(names) > 1:
        raise RunFolderError(
            "The runs have different classes. Give folders of runs on one data set."
        )
    (classes,) = names
    labels = (
        value for of_seed in kept.values() for found in of_seed.values() for value in _labels(found)
    )
    if not all(0 <= label < len(classes) for label in labels):
        raise RunFolderError("Snapshots have labels that are not classes of their run.")
    return list(classes)


def _labels(found: KeptSnapshots) -> set[int]:
    """Return all classes that snapshots mention."""
    labels = {image.label for image in found.images}
    labels |= {image.conflict for image in found.images if image.conflict is not None}
    for predictions in found.predictions.values():
        labels |= {int(predictions.min()), int(predictions.max())}
    return labels


def _images(of_seed: Mapping[str, KeptSnapshots], seed: int) -> list[ShownImage]:
    """Return the images of a seed's runs, the same in all of them."""
    first, *others = (list(found.images) for found in of_seed.values())
    if any(images != first for images in others):
        raise RunFolderError(
            f"Runs of seed {seed} show different images: they differ in the data, the patch or "
            "training.snapshots. Give folders of runs that share them."
        )
    return first


def _image(image: ShownImage) -> dict[str, Any]:
    return {
        "index": image.index,
        "label": image.label,
        "mixed": image.mixed,
        "conflict": image.conflict,
        "pictures": {name: base64.b64encode(png).decode() for name, png in image.pictures.items()},
    }


def _run(results: Results, arm: str, seed: int, found: KeptSnapshots) -> dict[str, Any]:
    sets = found.predictions
    curves = {
        name: list(results.series(arm, set_, quantity)[seed].values())
        for name, (set_, quantity) in _CURVES.items()
        if set_ in sets or set_ == "run"
    }
    return {
        "epochs": len(sets["clean"]),
        "predictions": {name: values.tolist() for name, values in sets.items()},
        "curves": curves,
        "firstLayer": visible(found.first_layer),
        "filters": None if found.filters is None else drawn_filters(found.filters),
    }


def drawn_filters(filters: NDArray[np.float16]) -> dict[str, Any]:
    """Return filters for drawing: in each epoch relative to the largest absolute weight, in bytes.

    Args:
        filters: Weights, [epochs, F, C, h, w].

    >>> import numpy as np
    >>> drawn = drawn_filters(np.array([0.5, -0.25], np.float16).reshape(1, 1, 1, 1, 2))
    >>> drawn["shape"], drawn["largest"], list(base64.b64decode(drawn["bytes"]))
    ([1, 1, 1, 2], [0.5], [255, 64])
    """
    import numpy as np

    values = filters.astype(np.float64)
    largest = np.abs(values).reshape(len(values), -1).max(axis=1)
    scale = np.where(largest > 0, largest, 1).reshape(-1, 1, 1, 1, 1)
    encoded = (128 + np.rint(127 * values / scale)).astype(np.uint8)
    return {
        "shape": list(filters.shape[1:]),
        "largest": largest.tolist(),
        "bytes": base64.b64encode(encoded.tobytes()).decode(),
    }


def _missing(results: Results, kept: Kept, titles: Mapping[str, str]) -> list[str]:
    """Return a sentence for each arm about its runs that are not shown."""
    absent: dict[tuple[str, str], list[int]] = {}
    for folder in results.folders:
        arm, seed = results.arm_of(folder), folder.config.seed
        if arm not in kept.get(seed, {}):
            absent.setdefault((arm, _reason(results, folder)), []).append(seed)
    return [
        visible(f"Not shown: {titles[arm]}, seed {', '.join(map(str, sorted(seeds)))} ({reason}).")
        for (arm, reason), seeds in absent.items()
    ]


def _reason(results: Results, folder: RunFolder[RunConfig]) -> str:
    if results.is_finished(folder):
        return "no snapshots were kept"
    return folder.read_status().replace("_", " ")
