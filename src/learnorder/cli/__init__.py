"""The command ``learnorder``: thin verbs over the Python functions of the same names."""

from learnorder.cli.main import main

__all__ = ["main"]
