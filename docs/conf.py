"""Sphinx configuration; pages are made from the help of the commands and from the public stub."""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
from collections.abc import Iterator
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs
from sphinx.application import Sphinx

import learnorder
from learnorder.cli.main import COMMANDS, main

project = "learnorder"
author = "The learnorder developers"
copyright = "2026, The learnorder developers"
release = version = installed_version("learnorder")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "explanation/tables", "notebooks/runs"]
# Notebooks run when they have changed since the last build, in a folder of their own.
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_output_stderr = "remove"  # warnings of libraries; errors stop the build
os.environ["PLOTLY_RENDERER"] = "sphinx_gallery"  # figures as HTML
html_theme = "furo"
html_title = "learnorder"
html_static_path = ["_static"]
html_css_files = ["notebooks.css"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_use_ivar = True


def _help_of(*command: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*command, "--help"])
    return printed.getvalue()


def _write_command_pages() -> None:
    commands = [(command,) for command in COMMANDS if command != "theory"]
    for command in [*commands, ("theory", "run"), ("theory", "phase"), ("theory", "explore")]:
        (_GENERATED / f"{'-'.join(command)}.txt").write_text(_help_of(*command))


def _public_page() -> Iterator[str]:
    """Yield the lines of the page of public names: the stub's groups, each a table, then each name.

    A group is a comment "Title: text" on the line before an import; what stands beside an import
    says what it is.
    """
    stub = Path(learnorder.__file__).with_suffix(".pyi").read_text(encoding="ascii")
    lines, names = stub.splitlines(), list[str]()
    for node in (*ast.parse(stub).body, None):
        before = lines[node.lineno - 2] if node is not None else "#"
        if before.startswith("#"):
            yield from ("", "```{eval-rst}", *map(_directive, names), "```") if names else ()
            names.clear()
        if not isinstance(node, ast.ImportFrom):
            return
        if before.startswith("#"):
            title, _, text = before.removeprefix("# ").partition(": ")
            yield from ("", f"## {title}", "", f"{text.capitalize()}." if text else "", "")
            yield from ("| name | what it is |", "|---|---|")
        (alias,) = node.names
        what = lines[node.lineno - 1].partition("#")[2].strip()
        if node.module is None:
            yield f"| `learnorder.{alias.name}` | {what} ([module](modules.md)) |"
        else:
            yield f"| {{py:obj}}`~learnorder.{alias.name}` | {what} |"
            names.append(alias.name)


def _directive(name: str) -> str:
    """Return what documents a public name, with the methods that its bases here give it."""
    found = getattr(learnorder, name)
    if not isinstance(found, type):
        return f".. autofunction:: learnorder.{name}\n"
    derived = any(base.__module__.startswith("learnorder") for base in found.__bases__)
    inherited = "   :inherited-members: Generic\n" if derived else ""
    return f".. autoclass:: learnorder.{name}\n{inherited}"


_GENERATED = Path(__file__).parent / "reference" / "generated"
_GENERATED.mkdir(exist_ok=True)
_write_command_pages()
(_GENERATED / "python.txt").write_text("\n".join(_public_page()) + "\n", encoding="utf-8")


def _bundle_plotly(app: Sphinx) -> None:
    """Write plotly.js to the static files, once for all notebooks."""
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    (static / "plotly.min.js").write_text(get_plotlyjs(), encoding="utf-8")


_LOADED = re.compile(r'<script[^>]*\ssrc="https://[^"]*"[^>]*></script>')


def _draw_offline(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Let the figures of a notebook load plotly.js from the static files, not from the network."""
    if "plotly-graph-div" not in (body := context.get("body") or ""):
        return
    bundled = f'<script src="{context["pathto"]("_static/plotly.min.js", resource=True)}"></script>'
    context["body"] = bundled + _LOADED.sub("", body)
    app.add_js_file("figures.js", loading_method="defer")


def _print_as_slides(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Give the lesson its buttons, and a printed page for each section."""
    if page == "lesson":
        app.add_css_file("lesson.css")
        app.add_js_file("lesson.js")


def setup(app: Sphinx) -> None:
    """Connect what is done to docstrings and pages."""

    def begin_below(_: Sphinx, what: str, *others: object) -> None:
        """Keep what is before a colon in an attribute's text, which napoleon takes for a type."""
        if what in ("attribute", "property"):
            lines = others[-1]
            assert isinstance(lines, list)
            lines.insert(0, "")

    app.connect("autodoc-process-docstring", begin_below, priority=400)
    app.connect("builder-inited", _bundle_plotly)
    app.connect("html-page-context", _draw_offline)
    app.connect("html-page-context", _print_as_slides)
