"""Explainers: one file per family, one short class per method, a registry with the facts of each."""

from . import (  # noqa: F401  (each registers its methods)
    attention,
    blur_ig,
    cam,
    cam_cluster,
    cam_full,
    cam_gradient,
    cam_norm,
    cam_scores,
    class_embedding,
    deeplift,
    fido,
    gradients,
    guided,
    guided_ig,
    kernel_shap,
    lrp,
    meaningful_perturbation,
    noise,
    occlusion,
    path,
    regional,
    rise,
    xrai,
)
from .api import explain, prepare
from .depth import through_layers
from .registry import MethodInfo, methods

__all__ = ["MethodInfo", "explain", "methods", "prepare", "through_layers"]
