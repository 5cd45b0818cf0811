"""The identity of a script: digests of the files that a command names, or of a function's code.

For a Python script these include the modules beside it that it imports. Files that it reads in
other ways are not seen.
"""

from __future__ import annotations

import ast
import hashlib
import shlex
from collections.abc import Iterator
from pathlib import Path

from learnorder.config.script import ScriptConfig, names_in

_WHOLE_BYTES = 100_000_000
"""Larger files are read at both ends only."""
_END_BYTES = 1_000_000


def files_of(script: ScriptConfig) -> list[Path]:
    """Return the files that a command names, and the modules beside them that they import."""
    assert script.command is not None
    words = [word for word in _words(script.command) if not names_in(word)]
    named = [path for word in words for path in _paths(word)]
    if "-m" in words[:-1]:
        module = words[words.index("-m") + 1]
        named += _module(Path(), module)
    files = dict.fromkeys(path for path in named if not _is_program(path, words[0]))
    waiting = list(files)
    while waiting:
        for module in _imports(waiting.pop()):
            if module not in files:
                files[module] = None
                waiting.append(module)
    return list(files)


def digests(script: ScriptConfig) -> dict[str, str]:
    """Return the digest of each file of a command, by name."""
    return {f"file {path}": _digest(path) for path in files_of(script)}


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _paths(word: str) -> Iterator[Path]:
    """Yield the file that a word names: itself, or what follows the first equals sign."""
    for text in (word, word.partition("=")[2]):
        try:
            if text and Path(text).is_file():
                yield Path(text)
        except OSError:  # e.g. the word is too long for a name
            continue


def _is_program(path: Path, first: str) -> bool:
    """Whether a file is the interpreter of the command, which differs between machines."""
    if str(path) != first:
        return False
    with path.open("rb") as file:
        return file.read(2) != b"#!"


def _imports(path: Path) -> Iterator[Path]:
    """Yield the modules beside a Python file that it imports."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(path.parent, alias.name)
        elif isinstance(node, ast.ImportFrom):
            folder = path.parent
            for _ in range(node.level - 1):
                folder = folder.parent
            base = node.module or ""
            yield from _module(folder, base) if base else ()
            for alias in node.names:
                yield from _module(folder, f"{base}.{alias.name}".strip("."))


def _module(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files of a module and of the packages around it, if they are in a folder."""
    for part in name.split("."):
        folder = folder / part
        for file in (folder.with_suffix(".py"), folder / "__init__.py"):
            if file.is_file():
                yield file


def _digest(path: Path) -> str:
    size, digest = path.stat().st_size, hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            digest.update(file.read())
        else:
            digest.update(f"{size}".encode() + file.read(_END_BYTES))
            file.seek(-_END_BYTES, 2)
            digest.update(file.read())
    return digest.hexdigest()
