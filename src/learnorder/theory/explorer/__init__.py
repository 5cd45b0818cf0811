"""The interactive page of ``learnorder theory explore``, and what it computes in advance."""
