"""CF-CAM's clusters of channels: scikit-learn's own, on random and tied distances, and the bilateral filter."""

import numpy as np
import pytest
import torch

from salwidgets.explainers.cam_cluster import NOISE, STRONG, bilateral, cluster, dbscan


def test_dbscan_by_hand():
    at = torch.tensor([0.0, 0.1, 0.2, 5.0, 5.1, 5.2, 0.35, 20.0])
    labels = dbscan((at[:, None] - at).abs(), 0.16, 3)
    assert labels.tolist() == [0, 0, 0, 1, 1, 1, 0, NOISE]
    assert dbscan((at[:, None] - at).abs(), 0.01, 2).tolist() == [NOISE] * 8


def test_dbscan_agrees_with_scikit_learn():
    sklearn = pytest.importorskip("sklearn.cluster")
    for seed in range(20):
        x = torch.randn(60, 2, generator=torch.Generator().manual_seed(seed)).double()
        d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
        theirs = sklearn.DBSCAN(eps=0.1 + 0.02 * seed, min_samples=4, metric="precomputed").fit(d.numpy()).labels_
        assert dbscan(d, 0.1 + 0.02 * seed, 4).tolist() == theirs.tolist()


@pytest.mark.parametrize("levels", [None, 4, 2])
def test_clusters_are_those_of_scikit_learn(levels):
    """``levels``: whole numbers, where many distances are equal, some of them eps itself."""
    sklearn = pytest.importorskip("sklearn.cluster")
    for seed, channels in enumerate((3, 8, 21, 64, 65)):
        random = torch.Generator().manual_seed(seed)
        a = torch.randn(channels, 3, 3, generator=random) if levels is None else \
            torch.randint(levels, (channels, 3, 3), generator=random).float()
        flat = a.flatten(1).double().numpy()
        norms = np.linalg.norm(flat, axis=1)
        weak = norms < np.percentile(norms, 75)
        d = np.linalg.norm(flat[weak][:, None] - flat[weak], axis=-1)
        eps = max(np.percentile(d[~np.eye(len(d), dtype=bool)], 25), 1e-5)
        theirs = sklearn.DBSCAN(eps=eps * (1 + 1e-12), min_samples=max(2, len(d) // 20), metric="precomputed").fit(d)
        labels = cluster(a).numpy()
        assert (labels[~weak] == STRONG).all()
        assert labels[weak].tolist() == theirs.labels_.tolist()


def test_strong_channels_keep_their_own_gradient():
    a = torch.rand(16, 4, 4, generator=torch.Generator().manual_seed(0))
    a[:4] *= 10
    assert (cluster(a)[:4] == STRONG).all()
    assert (cluster(a)[4:] != STRONG).all()


def test_bilateral_keeps_edges_that_a_gaussian_smears():
    g = torch.zeros(1, 1, 8, 8)
    g[..., 4:] = 3.0
    torch.testing.assert_close(bilateral(g), g)
    assert float((bilateral(g, spread=100.0) - g).abs().max()) > 1
