"""Names of the groups of the papers' tasks: apart from the tasks, whose import takes seconds."""

KEPT, FLIPPED = "correct label", "wrong label"
"""The groups of :func:`~learnorder.reproduce.papers.tasks.noisy_labels`."""
BOTH, WEAK = "both features", "weak feature only"
"""The groups of :mod:`learnorder.reproduce.papers.features`."""
