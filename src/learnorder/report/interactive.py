"""Pages with controls, such as sliders: single HTML files that open offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from learnorder.errors import ConfigError
from learnorder.runs.files import atomic_write

_SHARED = Path(__file__).parent / "templates" / "interactive"


def write_interactive(path: Path | str, page: str) -> Path:
    """Write a page; return its path.

    Args:
        path: The file. An existing file is replaced atomically.
        page: The page as HTML.

    Raises:
        ConfigError: The path is a folder.
        RunFolderError: The file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError("out", str(path), "This is a folder. Give a file, e.g. page.html.")
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def render_interactive(assets: Path, scripts: Sequence[str], data: Any, **values: Any) -> str:
    """Return a page as HTML.

    It begins with the shared style sheet and scripts: base.css, page.js and svg.js.

    Args:
        assets: Folder with the page's page.html.j2, style.css, and its scripts.
        scripts: Names of its scripts, in their order.
        data: Its data, as plain values.
        values: Other values of the template.
    """
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(assets), autoescape=True, undefined=jinja2.StrictUndefined
    )
    styles = (folder / name for folder, name in ((_SHARED, "base.css"), (assets, "style.css")))
    return templates.get_template("page.html.j2").render(
        style=Markup("".join(style.read_text(encoding="utf-8") for style in styles)),
        data=Markup(json.dumps(data).replace("<", "\\u003c")),
        page=Markup(script(_SHARED, "page", "svg") + "\n" + script(assets, *scripts)),
        version=version("learnorder"),
        **values,
    )


def script(folder: Path, *names: str) -> str:
    """Return scripts of a folder, one after the other."""
    return "\n".join((folder / f"{name}.js").read_text(encoding="utf-8") for name in names)
