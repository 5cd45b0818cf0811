"""Names of the groups of the papers' tasks: apart from the tasks, whose import takes seconds."""

KEPT, FLIPPED = "correct label", "wrong label"
"""The groups of :func:`~learnorder.reproduce.papers.tasks.noisy_labels`."""
BOTH, WEAK = "both features", "weak feature only"
"""The groups of :mod:`learnorder.reproduce.papers.features`."""
AS_TRAINED, LINEAR_SHUFFLED, SLABS_SHUFFLED = "as trained", "linear shuffled", "slabs shuffled"
"""The groups of held-out examples of :func:`~learnorder.reproduce.papers.slabs.linear_and_slabs`:
those from the training distribution, those whose linear coordinate is that of another example, and
those whose slab coordinates are."""
