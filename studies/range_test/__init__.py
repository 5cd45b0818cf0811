"""What it costs to follow a range test, and which rule picks best: in ``docs/advice.md``."""
