"""The command ``reproduce``: the paper's claims, each with the test that decides it."""
