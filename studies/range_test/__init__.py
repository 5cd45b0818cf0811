"""The cost of following a range test, and the choice of its rule; see ``docs/advice.md``."""
