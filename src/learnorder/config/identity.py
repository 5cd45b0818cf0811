"""Names in the identity of a run: digests of the user's code and data."""

PYTHON = "python"
"""Name of the Python version, on which byte code depends."""
CODE = "code of "
"""Prefix of the names of code."""
