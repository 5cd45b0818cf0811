"""What was learned when: over a run's records, or example by example in any training loop."""

from learnorder.order.agreement import Agreement, rank_agreement
from learnorder.order.indexed import IndexedDataset
from learnorder.order.learned import CONTENT_SHARE, PATCH_LEVEL, first_epoch
from learnorder.order.tracker import LearningOrder

__all__ = [
    "CONTENT_SHARE",
    "PATCH_LEVEL",
    "Agreement",
    "IndexedDataset",
    "LearningOrder",
    "first_epoch",
    "rank_agreement",
]
