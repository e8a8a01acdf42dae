"""Batch normalisation as in TensorFlow and Keras, for networks that were published with them."""

from typing import TypeVar

from torch import nn

_Norm = TypeVar("_Norm", nn.BatchNorm1d, nn.BatchNorm2d)


def keras_norm(cls: type[_Norm], channels: int) -> _Norm:
    """Return a batch normalisation with the constants of Keras.

    Args:
        cls: `nn.BatchNorm1d` or `nn.BatchNorm2d`.
        channels: Number of channels.
    """
    return cls(channels, eps=1e-3, momentum=0.01)
