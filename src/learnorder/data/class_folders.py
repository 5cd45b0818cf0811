"""Class folders: one folder of images for each class.

The class of an image is the name of the folder below the root, or below ``train/`` and ``test/``,
that contains it at any depth. The root's folders are splits if all are named like splits and
contain folders; otherwise they are classes. Files that are not read are counted as skipped.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from learnorder.errors import DataError, did_you_mean

_SPLITS = {
    "train": "train", "training": "train",
    "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation", "dev": "validation",
}  # fmt: skip
_SYSTEM = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
_HIDDEN = "hidden or system files"
OUTSIDE = "outside the class folders"
"""Why files beside the class folders are skipped."""
_SHOWN = 3


@dataclass
class ClassFolders:
    """The images of class folders.

    Attributes:
        class_names: Names of the classes, sorted.
        splits: Paths and labels of "train" and, if it exists, "test".
        skipped: Number of skipped files by reason.
        folders: The folder that contains the class folders of each split.
    """

    class_names: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    skipped: Counter[str] = field(default_factory=Counter)
    folders: dict[str, Path] = field(default_factory=dict)


def read_class_folders(root: Path, name: str) -> ClassFolders:
    """List the images of class folders, and count the skipped files.

    Args:
        root: The folder.
        name: Name of the source, for errors.

    Raises:
        DataError: There are fewer than two classes, a class without images, splits with different
            classes, a link that leaves the folder, or folders that could be splits or classes.
    """
    skipped: Counter[str] = Counter()
    folders = _folders_in(root, root, name, skipped, outside=True)
    if not folders:
        raise DataError(
            f"{name}: it contains no folders. Put the images of each class into a folder named "
            "after the class, e.g. cat/1.png, or below train/ and test/."
        )
    by_split = _splits_of(folders, name)
    if by_split is None:
        by_split = {"train": root}
        classes = {"train": {folder.name: folder for folder in folders}}
    else:
        if {"validation", "test"} <= by_split.keys():
            unused = by_split.pop("validation")
            skipped[f"in {unused.name}/, because there is {by_split['test'].name}/"] += sum(
                1 for _ in _images_in(unused, root, name, Counter())
            )
        elif "validation" in by_split:
            by_split["test"] = by_split.pop("validation")
        classes = {
            split: {f.name: f for f in _folders_in(folder, root, name, skipped, outside=True)}
            for split, folder in by_split.items()
        }
    class_names = tuple(sorted(classes["train"]))
    _check_same(classes, class_names, name)
    splits = {
        split: [
            (path, label)
            for label, class_name in enumerate(class_names)
            if class_name in folders
            for path in _class_images(folders[class_name], root, name, skipped)
        ]
        for split, folders in classes.items()
    }
    if len(class_names) < 2:
        raise DataError(_one_class(classes["train"], name))
    return ClassFolders(class_names, splits, skipped, by_split)


def _splits_of(folders: list[Path], name: str) -> dict[str, Path] | None:
    """Return the folders by split, None if they are classes."""
    splits = [_SPLITS.get(folder.name.lower()) for folder in folders]
    if None in splits or "train" not in splits:
        return None
    nested = [any(_is_folder(entry) for entry in folder.iterdir()) for folder in folders]
    names = ", ".join(f"{folder.name}/" for folder in folders)
    if not all(nested):
        if any(nested) or len(folders) > 1:
            raise DataError(
                f"{name}: {names} could be classes, or splits that contain class folders; not all "
                "of them contain folders. Put the classes into train/ and test/, or rename them."
            )
        return None
    if len(set(splits)) < len(splits):
        raise DataError(
            f"{name}: {names} include the same split twice. Keep one folder for each split."
        )
    return dict(zip((split for split in splits if split), folders, strict=True))


def _check_same(
    classes: dict[str, dict[str, Path]], class_names: tuple[str, ...], name: str
) -> None:
    """Refuse classes of the test split that the training split does not have."""
    if not class_names:
        raise DataError(f"{name}: the training split contains no class folders. Add at least two.")
    for extra in sorted(set(classes.get("test", ())) - set(class_names)):
        parts = (
            f"{name}: the test split has a class {extra}, but the training split does not.",
            did_you_mean(extra, class_names, most=1),
            "Use the same class names in both; upper and lower case matter.",
        )
        raise DataError(" ".join(filter(None, parts)))


def _one_class(folders: dict[str, Path], name: str) -> str:
    only = next(iter(folders))
    inner = [entry.name for entry in folders[only].iterdir() if _is_folder(entry)]
    deeper = f" To use its subfolders as classes, give {name}/{only}." if len(inner) > 1 else ""
    return (
        f"{name}: all training images are of one class, {only}. At least two classes are needed, "
        f"each in its own folder.{deeper}"
    )


def _class_images(folder: Path, root: Path, name: str, skipped: Counter[str]) -> list[Path]:
    """Return the images of a class, sorted by path."""
    skipped_here: Counter[str] = Counter()
    paths = sorted(_images_in(folder, root, name, skipped_here))
    skipped.update(skipped_here)
    if not paths:
        reasons = (f"{n} {reason}" for reason, n in skipped_here.most_common(_SHOWN))
        raise DataError(
            f"{name}: there is no image in the class folder {folder.relative_to(root)}/ (it "
            f"contains: {', '.join(reasons) or 'nothing'}). Add images in a format that Pillow "
            "reads, or remove the folder."
        )
    return paths


def _folders_in(
    folder: Path, root: Path, name: str, skipped: Counter[str], *, outside: bool
) -> list[Path]:
    """Return the folders in a folder, sorted by name, and count its files as skipped."""
    folders = []
    for entry in sorted(folder.iterdir()):
        if _is_hidden(entry):
            skipped[_HIDDEN] += 1
        elif _checked(entry, root, name).is_dir():
            folders.append(entry)
        elif outside:
            skipped[OUTSIDE] += 1
    return folders


def _images_in(folder: Path, root: Path, name: str, skipped: Counter[str]) -> Iterator[Path]:
    """Yield the images in a folder and below it."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        current = waiting.pop()
        resolved = current.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        for entry in current.iterdir():
            if _is_hidden(entry):
                skipped[_HIDDEN] += 1
            elif _checked(entry, root, name).is_dir():
                waiting.append(entry)
            elif entry.suffix.lower() in _readable():
                yield entry
            else:
                skipped[f"not an image ({entry.suffix.lower() or 'no suffix'})"] += 1


def _checked(entry: Path, root: Path, name: str) -> Path:
    """Return an entry; raise DataError if it is a broken link, or one that leaves the folder."""
    if entry.is_symlink():
        target = entry.resolve()
        if not target.exists() or not target.is_relative_to(root.resolve()):
            raise DataError(
                f"{name}: {entry.relative_to(root)} is a link to {target}, which is not in the "
                "data folder. Copy the file into the folder, or remove the link."
            )
    return entry


def _is_folder(entry: Path) -> bool:
    return not _is_hidden(entry) and entry.is_dir()


def _is_hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name.lower() in _SYSTEM


@functools.cache
def _readable() -> frozenset[str]:
    """Return the suffixes of image files that Pillow reads."""
    Image.init()
    opens = {suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.OPEN}
    return frozenset(opens - {".pdf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib", ".bufr"})
