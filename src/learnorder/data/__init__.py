"""Image data sets as uint8 tensors with labels, and augmentation by the user's functions."""

from learnorder.data.augmentation import Augmentation
from learnorder.data.images import ImageData, Images, load_images, load_unseen
from learnorder.data.splits import stratified_order

__all__ = ["Augmentation", "ImageData", "Images", "load_images", "load_unseen", "stratified_order"]
