"""Sphinx configuration; the pages of the command line are made from its own help."""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version as installed_version
from pathlib import Path

from learnorder.cli.main import VERBS, main

project = "learnorder"
author = "The learnorder developers"
copyright = "2026, The learnorder developers"
release = version = installed_version("learnorder")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "explanation/tables"]
html_theme = "furo"
html_title = "learnorder"
html_static_path = ["_static"]
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_default_options = {"members": True, "show-inheritance": False}
napoleon_use_ivar = True


def _help_of(*verb: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([*verb, "--help"])
    return printed.getvalue()


def _write_command_pages() -> None:
    folder = Path(__file__).parent / "reference" / "generated"
    folder.mkdir(exist_ok=True)
    commands = [(verb,) for verb in VERBS if verb != "theory"]
    for command in [*commands, ("theory", "run"), ("theory", "phase")]:
        (folder / f"{'-'.join(command)}.txt").write_text(_help_of(*command))


_write_command_pages()
