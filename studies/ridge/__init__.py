"""Learning rate and weight decay tuned jointly, against the full grid: ``docs/how-to/jointly.md``."""
