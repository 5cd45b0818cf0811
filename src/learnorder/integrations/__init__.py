"""A few lines between :class:`~learnorder.LearningOrder` and others' training loops.

``learnorder.integrations.lightning`` needs the extra ``lightning``, and
``learnorder.integrations.transformers`` the extra ``transformers``.
"""
