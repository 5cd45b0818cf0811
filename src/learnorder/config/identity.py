"""Names in the identity of a run: digests of the user's code and data."""

PYTHON = "python"
"""Where an identity has the version of Python that byte code is of."""
CODE = "code of "
"""What the names of code in an identity begin with."""
