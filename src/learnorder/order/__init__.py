"""What was learned when: quantities over a run's records."""

from learnorder.order.learned import CONTENT_SHARE, PATCH_LEVEL, first_epoch

__all__ = ["CONTENT_SHARE", "PATCH_LEVEL", "first_epoch"]
