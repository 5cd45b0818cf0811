"""Image data sets: one uint8 tensor and its labels, read once."""

from learnorder.data.images import ImageData, Images, load_images
from learnorder.data.splits import stratified_order

__all__ = ["ImageData", "Images", "load_images", "stratified_order"]
