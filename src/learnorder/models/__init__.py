"""Networks: the paper's WideResNet, small networks, and user networks by import path."""

from learnorder.models.building import build_model
from learnorder.models.small import MLP, ConvNet, ViT
from learnorder.models.wide_resnet import WideResNet

__all__ = ["MLP", "ConvNet", "ViT", "WideResNet", "build_model"]
