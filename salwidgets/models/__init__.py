"""The adapter around any torch model: outputs, devices, feature layers, token grids, preprocessing."""

from .adapter import Model, Predictions

__all__ = ["Model", "Predictions"]
