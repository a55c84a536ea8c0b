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


@pytest.mark.parametrize("method", ["grad-cam", "smooth-grad-cam++", "occlusion", "integrated-gradients", "rise",
                                    "saliency"])
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


@pytest.mark.parametrize("said", ["CUDA out of memory. Tried to allocate 2.00 GiB", "MPS backend out of memory",
                                  "[enforce fail] not enough memory: you tried to allocate memory", MemoryError()])
def test_what_other_devices_say_counts_too(said):
    class Full(Narrow):
        def forward(self, x):
            if len(x) > self.most:
                raise RuntimeError(said) if isinstance(said, str) else said
            return self.net(x)

    x = nets.images(4)
    found = sw.explain(sw.Model(Full(1)), x, sw.why(1), method="saliency", progress=False)
    alone = sw.explain(sw.Model(Full(9)), x, sw.why(1), method="saliency", progress=False)
    for a, b in zip(found, alone, strict=True):
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)
        assert any("lack of memory" in n for n in a.notices)


def test_questions_that_do_not_fit_at_once_are_answered_in_parts(monkeypatch):
    x, q = nets.images(2), [sw.why(k).rather_than(4) for k in range(4)]
    evidence = sw.prepare(sw.Model(nets.plain()), x, "saliency")
    expected = evidence.explain(q)
    kind = type(evidence.parts[0])
    answer, most = kind.answer, [2]

    def short_of_room(self, columns):
        if len(columns) > most[0]:
            raise torch.OutOfMemoryError("no room")
        return answer(self, columns)

    monkeypatch.setattr(kind, "answer", short_of_room)
    found = evidence.explain(q)
    assert found.shape == expected.shape
    for a, b in zip(found, expected, strict=True):
        assert str(a.question) == str(b.question)
        np.testing.assert_allclose(a.values, b.values, atol=1e-6)
    most[0] = 0
    with pytest.raises(ModelError, match="saliency on 2 inputs; prepare evidence of fewer"):
        evidence.explain(q)
