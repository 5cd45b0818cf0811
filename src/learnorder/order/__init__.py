"""What was learned when: over a run's records, or example by example in any training loop.

The tracker (:class:`~learnorder.order.tracker.LearningOrder`) needs torch and is imported from its
own module; what is here does not.
"""

from learnorder.order.learned import (
    CONTENT_LEVELS,
    PATCH_LEVEL,
    content_level,
    first_epoch,
    order_ratio,
)

__all__ = ["CONTENT_LEVELS", "PATCH_LEVEL", "content_level", "first_epoch", "order_ratio"]
