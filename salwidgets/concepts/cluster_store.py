"""Saved clusters: what `ExplanationClusters.fit` found, without the explanations themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .archive import number, read, write
from .clusters import Cluster, ExplanationClusters
from .map_stack import MapStack

KIND = "explanation clusters"
_SETTINGS = ("n_clusters", "method", "select", "n_components", "scale", "max_clusters", "min_cluster_size", "random_state")


def save(clusters: ExplanationClusters, folder: str | Path) -> Path:
    """Write ``clusters`` into ``folder``."""
    given = clusters.stack_
    arrays = {"maps": given.maps, "probabilities": given.probabilities, "labels": clusters.labels_,
              "points": clusters.points_, "mean": clusters.mean_, "axes": clusters.axes_,
              "explained": clusters.explained_, "centres": clusters.centres_, "silhouette": clusters.silhouette_}
    if given.correct is not None:
        arrays["correct"] = given.correct
    if given.thumbnails is not None:
        arrays["thumbnails"] = given.thumbnails
    arrays |= {f"members{c.index}": c.members for c in clusters.clusters_}
    manifest = {
        "settings": {name: getattr(clusters, name) for name in _SETTINGS},
        "selection": clusters.selection_, "notices": clusters.notices_, "true_labels": given.labels,
        "digests": given.digests, "question": given.question, "method_of_maps": given.method,
        "clusters": [{"probability": c.probability, "accuracy": c.accuracy, "silhouette": c.silhouette,
                      "unreliable": c.unreliable, "labels": list(c.labels.items()), "sentence": c.sentence}
                     for c in clusters.clusters_]}
    return write(folder, KIND, manifest, arrays)


def load(cls: type[ExplanationClusters], folder: str | Path) -> ExplanationClusters:
    """Read back what `save` wrote."""
    manifest, arrays = read(folder, KIND)
    try:
        found = cls(**{name: manifest["settings"][name] for name in _SETTINGS})
        found.stack_ = MapStack(
            arrays["maps"], arrays["probabilities"], arrays.get("correct"), manifest["true_labels"],
            arrays.get("thumbnails"), manifest["digests"], str(manifest["question"]), str(manifest["method_of_maps"]), ())
        found.labels_, found.points_, found.centres_ = arrays["labels"], arrays["points"], arrays["centres"]
        found.mean_, found.axes_, found.explained_ = arrays["mean"], arrays["axes"], arrays["explained"]
        found.silhouette_ = arrays["silhouette"]
        found.selection_ = {int(k): number(v) for k, v in manifest["selection"].items()}
        found.clusters_ = [_cluster(i, c, arrays) for i, c in enumerate(manifest["clusters"])]
        found.n_clusters_, found.notices_ = len(found.clusters_), tuple(map(str, manifest["notices"]))
        if not len(found.labels_) == len(found.points_) == len(found.stack_.maps) == len(found.stack_.probabilities):
            raise InputError(f"the saved clusters {str(folder)!r}: its arrays are of different lengths; they were altered.")
        found.embedding_ = np.pad(found.points_[:, :2], ((0, 0), (0, max(0, 2 - found.points_.shape[1]))))
        return found
    except (KeyError, TypeError, ValueError, IndexError) as e:
        if isinstance(e, InputError):
            raise
        raise InputError(f"the saved clusters {str(folder)!r}: the manifest lacks or garbles a field ({type(e).__name__}: "
                         f"{e}). Save them again.") from e


def _cluster(k: int, said: dict[str, Any], arrays: dict[str, np.ndarray]) -> Cluster:
    members = arrays[f"members{k}"]
    maps = arrays["maps"][members]
    labels = {str(name): int(count) for name, count in said["labels"]}
    return Cluster(k, members, np.clip(maps, 0, None).mean(0), np.clip(maps, None, 0).mean(0), int(members[0]),
                   number(said["probability"]), number(said["accuracy"]), number(said["silhouette"]),
                   bool(said["unreliable"]), labels, str(said["sentence"]))
