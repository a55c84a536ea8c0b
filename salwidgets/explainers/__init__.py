"""Explainers: one file per family, one short class per method, a registry with the facts of each."""

from . import cam, cam_gradient, cam_scores, gradients, occlusion, path, rise  # noqa: F401  (each registers its methods)
from .api import explain, prepare
from .registry import MethodInfo, methods

__all__ = ["MethodInfo", "explain", "methods", "prepare"]
