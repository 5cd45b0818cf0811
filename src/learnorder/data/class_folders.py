"""Class folders: one folder of images for each class, read by one plain rule.

The class of an image is the name of the folder below the root, or below ``train/`` and ``test/``,
that it lies in at any depth. Folders count as splits where all of the root's are named as splits
and hold folders themselves; else they are classes. Every file is taken, or counted as left out.
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
_SHOWN = 3


@dataclass
class ClassFolders:
    """The images of class folders.

    Attributes:
        class_names: Sorted.
        splits: Paths and labels of "train" and, where there is one, "test".
        skipped: Files that were left out, by reason.
    """

    class_names: tuple[str, ...]
    splits: dict[str, list[tuple[Path, int]]]
    skipped: Counter[str] = field(default_factory=Counter)


def read_class_folders(root: Path, name: str) -> ClassFolders:
    """List the images of class folders, and what is left out.

    Args:
        root: The folder.
        name: Of the source, for errors.

    Raises:
        DataError: No classes, one without images, splits that disagree, a link that leads out of
            the folder, or folders that can be read in two ways.
    """
    skipped: Counter[str] = Counter()
    folders = _folders_in(root, root, name, skipped, outside=True)
    if not folders:
        raise DataError(
            f"{name}: there are no folders in it. Put each class's images into a folder named "
            "after the class, e.g. cat/1.png, or below train/ and test/."
        )
    by_split = _splits_of(folders, root, name)
    if by_split is None:
        classes = {"train": {folder.name: folder for folder in folders}}
    else:
        if {"validation", "test"} <= by_split.keys():
            left = by_split.pop("validation")
            skipped[f"in {left.name}/, as there is {by_split['test'].name}/"] += sum(
                1 for _ in _images_in(left, root, name, Counter())
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
    return ClassFolders(class_names, splits, skipped)


def _splits_of(folders: list[Path], root: Path, name: str) -> dict[str, Path] | None:
    """Return the folders that are splits, None where they are classes."""
    named = [_SPLITS.get(folder.name.lower()) for folder in folders]
    if None in named or "train" not in named:
        return None
    holds = [any(_is_folder(entry) for entry in folder.iterdir()) for folder in folders]
    shown = ", ".join(f"{folder.name}/" for folder in folders)
    if not all(holds):
        if any(holds) or len(folders) > 1:
            raise DataError(
                f"{name}: {shown} can be classes of these names, or splits that hold folders of "
                "classes; not all of them hold folders. Put classes into train/ and test/, or name "
                "them otherwise."
            )
        return None
    if len(set(named)) < len(named):
        raise DataError(f"{name}: {shown} are one split twice. Keep one folder for each split.")
    return dict(zip((split for split in named if split), folders, strict=True))


def _check_same(
    classes: dict[str, dict[str, Path]], class_names: tuple[str, ...], name: str
) -> None:
    """Refuse test images of a class that there are no training images of."""
    if not class_names:
        raise DataError(f"{name}: there are no folders of classes to train on.")
    for extra in sorted(set(classes.get("test", ())) - set(class_names)):
        parts = (
            f"{name}: the test split has a class {extra}, and the training split has not.",
            did_you_mean(extra, class_names, most=1),
            "Give both the same names of classes, upper and lower case alike.",
        )
        raise DataError(" ".join(filter(None, parts)))


def _one_class(folders: dict[str, Path], name: str) -> str:
    only = next(iter(folders))
    inner = [entry.name for entry in folders[only].iterdir() if _is_folder(entry)]
    deeper = f" Its folders are classes with {name}/{only}." if len(inner) > 1 else ""
    return (
        f"{name}: its training images are all of one class, {only}. Patterns are told apart by "
        f"class, so give data with at least two, a folder for each.{deeper}"
    )


def _class_images(folder: Path, root: Path, name: str, skipped: Counter[str]) -> list[Path]:
    """Return a class's images, sorted by path."""
    own: Counter[str] = Counter()
    found = sorted(_images_in(folder, root, name, own))
    skipped.update(own)
    if not found:
        held = ", ".join(f"{n} {reason}" for reason, n in own.most_common(_SHOWN)) or "nothing"
        raise DataError(
            f"{name}: there is no image in {folder.relative_to(root)}/, a folder of a class (it "
            f"holds: {held}). Put images into it that Pillow reads, or remove it."
        )
    return found


def _folders_in(
    folder: Path, root: Path, name: str, skipped: Counter[str], *, outside: bool
) -> list[Path]:
    """Return the folders in a folder, sorted by name; files there are of no class."""
    found = []
    for entry in sorted(folder.iterdir()):
        if _is_hidden(entry):
            skipped["hidden, or the system's"] += 1
        elif _checked(entry, root, name).is_dir():
            found.append(entry)
        elif outside:
            skipped["outside the folders of classes"] += 1
    return found


def _images_in(folder: Path, root: Path, name: str, skipped: Counter[str]) -> Iterator[Path]:
    """Yield the images in a folder and below it."""
    waiting, seen = [folder], set[Path]()
    while waiting:
        place = waiting.pop()
        resolved = place.resolve()
        if resolved in seen:
            continue
        seen.add(resolved)
        for entry in place.iterdir():
            if _is_hidden(entry):
                skipped["hidden, or the system's"] += 1
            elif _checked(entry, root, name).is_dir():
                waiting.append(entry)
            elif entry.suffix.lower() in _readable():
                yield entry
            else:
                skipped[f"not an image ({entry.suffix.lower() or 'no suffix'})"] += 1


def _checked(entry: Path, root: Path, name: str) -> Path:
    """Return an entry, unless it is a link that leads nowhere, or out of the data's folder."""
    if entry.is_symlink():
        target = entry.resolve()
        if not target.exists() or not target.is_relative_to(root.resolve()):
            raise DataError(
                f"{name}: {entry.relative_to(root)} is a link to {target}, which is not in the "
                "data's folder. Copy it there, or remove the link."
            )
    return entry


def _is_folder(entry: Path) -> bool:
    return not _is_hidden(entry) and entry.is_dir()


def _is_hidden(entry: Path) -> bool:
    return entry.name.startswith(".") or entry.name.lower() in _SYSTEM


@functools.cache
def _readable() -> frozenset[str]:
    """Return the suffixes of files that Pillow reads as pictures."""
    Image.init()
    opens = {suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.OPEN}
    return frozenset(opens - {".pdf", ".mpg", ".mpeg", ".h5", ".hdf", ".grib", ".bufr"})
