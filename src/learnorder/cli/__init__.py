"""The command line ``learnorder``: thin commands over the Python functions of the same names."""

from learnorder.cli.main import main

__all__ = ["main"]
