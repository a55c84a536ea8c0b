"""Rules for activations give one map, however the network writes them: apart, in place, or changed afterwards."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import salwidgets as sw
from salwidgets.explainers.lrp_layers import layer_of
from salwidgets.models.session import Call
from tests.methods.test_gradient_family import difference
from tests.methods.test_lrp import LAYERS

CASES = [("guided-backprop", {}), ("deconvnet", {}), ("deeplift", {}), ("lrp", {}), ("lrp", {"composite": "epsilon-gamma"}),
         ("lrp", {"composite": "epsilon"})]


class Ways(nn.Module):
    """One function, with every operation in place or none."""

    def __init__(self, in_place):
        super().__init__()
        torch.manual_seed(3)
        self.conv1, self.conv2 = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.fc, self.in_place = nn.Linear(7, 4), in_place

    def forward(self, x):
        here = self.in_place
        x = self.conv1(x)
        before = x * 0.3  # read before x is overwritten
        x = F.relu(x, inplace=here)
        if here:
            x *= 0.5  # changes what ReLU put out
            y = self.conv2(x)
            y += before
            torch.relu_(y)
            y.add_(x)
        else:
            x = x * 0.5
            y = torch.relu(self.conv2(x) + before) + x
        left, right = y.chunk(2, 1)
        left = (left[:, 1:] - 0.1).relu() if not here else (left - 0.1)[:, 1:].relu_()  # of a view
        x = F.max_pool2d(torch.cat([left, right], 1), 3, 2)
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(("method", "params"), CASES)
def test_operations_in_place_change_no_map(method, params):
    x = torch.randn(2, 3, 9, 9, generator=torch.Generator().manual_seed(4))
    questions = [sw.why(1), sw.why(2).rather_than(0)]
    apart, here = (sw.explain(sw.Model(Ways(k).eval()), x, questions, method=method, channels="none", **params)
                   for k in (False, True))
    for a, b in zip(apart, here, strict=True):
        assert abs(a.values).max() > 0 and difference(b.values, a.values) < 1e-5


def test_a_relu_that_is_not_the_only_reader_of_its_input_keeps_the_gradients_apart():
    """x is read, then overwritten by ReLU: the rule holds for ReLU's way only. Written out by hand."""
    torch.manual_seed(0)
    net = Ways(True).eval()
    x = torch.randn(1, 3, 9, 9)
    w = torch.randn(8, 9, 9)

    class Read(nn.Module):
        def forward(self, v):
            z = net.conv1(v)
            plain = (z * w).sum((1, 2, 3))
            z.relu_()
            return torch.stack([plain + (z * -w).sum((1, 2, 3)), plain], 1)

    with torch.no_grad():
        z = net.conv1(x)
        g = w + (-w).clamp(min=0) * (z > 0)
        expected = F.conv_transpose2d(g, net.conv1.weight, padding=1)
    e = sw.explain(sw.Model(Read().eval()), x, sw.why(0), method="guided-backprop", channels="none", progress=False)
    assert difference(e.values, expected[0].numpy()) < 1e-5


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("kind", [k for k in LAYERS if k != "circular"])
def test_one_channel_stands_for_all_where_the_weights_are_ones(kind):
    module, shape = LAYERS[kind]
    x = torch.rand(2, *shape)
    name = "linear" if isinstance(module, nn.Linear) else f"conv{'_transpose' * module.transposed}{len(shape) - 1}d"
    options = {k: getattr(module, k) for k in ("stride", "padding", "dilation", "groups")} if name != "linear" else {}
    options |= {"output_padding": module.output_padding} if "transpose" in name else {}
    layer = layer_of(name, Call(name, getattr(F, name), (x, module.weight.detach()), options))
    ones = torch.ones_like(layer.weight)
    out = layer.forward(torch.ones_like(x), ones)
    g = torch.randn(out.shape, generator=torch.Generator().manual_seed(1))
    seen = layer.seen(x.shape).expand(out.shape)
    assert difference(seen.numpy(), out.numpy()) < 1e-6
    assert difference(layer.spread(g, x.shape).numpy(), layer.back(g, ones, x.shape).numpy()) < 1e-5
