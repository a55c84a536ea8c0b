"""A batch that does not fit in memory is halved, and the result says so; one input that does not fit is an error."""

import numpy as np
import pytest
import torch

import salwidgets as sw
from salwidgets.errors import ModelError
from tests.core import nets

FEW = {"rise": {"n_masks": 100}, "occlusion": {"window": 8, "stride": 8}}


class Narrow(torch.nn.Module):
    """Runs out of memory beyond ``most`` images at once."""

    def __init__(self, most):
        super().__init__()
        self.net, self.most = nets.plain(), most

    def forward(self, x):
        if len(x) > self.most:
            raise torch.OutOfMemoryError(f"tried to allocate room for {len(x)} images")
        return self.net(x)


@pytest.mark.parametrize("method", ["grad-cam", "occlusion", "integrated-gradients", "rise", "saliency"])
def test_a_batch_that_does_not_fit_is_halved_and_said(method):
    x, q = nets.images(5), [sw.why(0), sw.why(1), sw.why(2), sw.why().rather_than(4), sw.why(3)]
    expected = sw.explain(sw.Model(Narrow(10**6)), x, q, method=method, paired=True, **FEW.get(method, {}))
    found = sw.explain(sw.Model(Narrow(2)), x, q, method=method, paired=True, **FEW.get(method, {}))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a.values, b.values, atol=1e-4 * np.abs(b.values).max())
        assert str(a.question) == str(b.question)
        assert any("lack of memory" in n for n in a.notices)
        assert not any("lack of memory" in n for n in b.notices)
    assert len(sw.prepare(sw.Model(Narrow(2)), x, method, **FEW.get(method, {}))) == 5


def test_one_input_that_does_not_fit_is_an_error():
    with pytest.raises(ModelError, match="does not fit in memory"):
        sw.explain(sw.Model(Narrow(0)), nets.images(1), sw.why(0), method="saliency")
