"""Image data sets: one uint8 tensor and its labels, read once; augmentation of the user's own."""

from learnorder.data.augmentation import Augmentation
from learnorder.data.images import ImageData, Images, load_images, load_unseen
from learnorder.data.splits import stratified_order

__all__ = ["Augmentation", "ImageData", "Images", "load_images", "load_unseen", "stratified_order"]
