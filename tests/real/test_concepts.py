"""CRAFT on SqueezeNet and photographs: crops of a concept are alike, and dog concepts lie on dogs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import salwidgets as sw

pytestmark = pytest.mark.real


def test_crops_of_photographs_show_what_speaks_for_a_dog(squeezenet: Any, photos: dict[str, Any]) -> None:
    model = sw.Model(squeezenet.module, classes=squeezenet.classes, preprocess=squeezenet.preprocess, mean=squeezenet.mean,
                     std=squeezenet.std, taxonomy=sw.Taxonomy.imagenet(squeezenet.classes))
    names = ["doberman", "zebra", "sunflower", "macaw"]
    images = [photos[n].image for n in names]
    found = sw.concepts.ConceptExtractor(model, n_concepts=6, mode="crops", crop=112, importance="gradient-x-input",
                                         progress=False).fit(images, sw.why("dog").rather_than("bird"))
    assert found.layer_ == "features" and found.coefficients_.shape[2:] == (13, 13)
    # What speaks most for a dog, over all and in the doberman, is strongest on it; no other photograph shows a dog.
    for k in (found.importance_.argmax(), found.image_importance_[0].argmax()):
        assert names[found.best_crops(int(k), 1)[0].image] == "doberman"
    assert found.scores_.argmax() == 0
    # Photographs of different things have different concepts.
    u = found.coefficients_.max((2, 3))
    assert len(set(u.argmax(1).tolist())) >= 3
    assert found.prevalence_.sum() == pytest.approx(1)
    assert np.corrcoef(found.scores_, found.reconstructed_scores_)[0, 1] > 0.7
