"""Sheets of images saved by runs, as galleries of a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image

from learnorder.errors import one_line
from learnorder.report.content import Gallery
from learnorder.runs import RunFolder
from learnorder.runs.sealed import unreadable

_MOST_PIXELS = 50_000_000
"""The largest sheet that is read."""


def example_images(folders: Sequence[RunFolder[Any]]) -> Gallery | None:
    """Return the example images with the patch of the first run that has any."""
    for folder in folders:
        described = folder.read_manifest()["examples"]
        if described is not None and folder.file("examples.png").exists():
            return read_sheet(folder, "examples.png", described)
    return None


def read_sheet(
    folder: RunFolder[Any], name: str, described: Mapping[str, Sequence[str]]
) -> Gallery:
    """Return a sheet of images of a run, cut into its rows and columns.

    Args:
        folder: The run.
        name: Name of the file.
        described: Titles of its ``rows`` and ``columns``.

    Raises:
        RunFolderError: The file cannot be read, or has fewer pixels than rows or columns.
    """
    rows, columns = list(described.get("rows", [])), list(described.get("columns", []))
    sheet = _picture(folder, name)
    if not rows or not columns or sheet.width < len(columns) or sheet.height < len(rows):
        raise unreadable(folder.file(name), "its rows and columns are not described")
    width, height = sheet.width // len(columns), sheet.height // len(rows)
    tiles = [
        [
            _data_address(sheet.crop((c * width, r * height, (c + 1) * width, (r + 1) * height)))
            for c in range(len(columns))
        ]
        for r in range(len(rows))
    ]
    return Gallery(list(zip(rows, tiles, strict=True)), columns)


def _picture(folder: RunFolder[Any], name: str) -> Image.Image:
    """Return a PNG image saved by a run."""
    path = folder.file(name)
    try:
        picture = Image.open(io.BytesIO(folder.read(name)), formats=["PNG"])
        if picture.width * picture.height > _MOST_PIXELS:
            raise unreadable(path, f"it has {picture.width}×{picture.height} pixels")
        return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise unreadable(path, one_line(error)) from None


def _data_address(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
