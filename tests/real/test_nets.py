"""The networks of `examples/nets` are the ones they claim to be: they repeat predictions made elsewhere."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from examples.nets import ImageNet, imagenet_net
from examples.nets.loading import crop, expand, to_tensor
from examples.nets.peers import box_iou, import_peer

pytestmark = pytest.mark.real

# Seen: 0.0005, the rounding of the written values. A wrong filter or size gives up to 0.28.
TOLERANCE = 0.002


def probabilities(net: ImageNet, images: list[Image.Image]) -> torch.Tensor:
    with torch.inference_mode():
        return net.module(torch.cat([net.preprocess(image) for image in images])).softmax(dim=-1)


@pytest.mark.parametrize(
    ("fixture", "name"),
    [("squeezenet", "squeezenet1_1"), ("tiny_darknet", "tiny_darknet"), ("vit_tiny", "vit_tiny")],
)
def test_photos_are_classified_as_listed(
    fixture: str, name: str, photos: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    # If a preprocessing does not reproduce the `top1` of photos.json, it is the preprocessing that is wrong.
    net: ImageNet = request.getfixturevalue(fixture)
    seen = probabilities(net, [photo.image for photo in photos.values()])
    for photo, (stem, row) in zip(photos.values(), zip(photos, seen, strict=True), strict=True):
        index, label, probability = photo.top1[name]
        assert int(row.argmax()) == index, stem
        assert net.classes[index] == label, stem
        assert float(row[index]) == pytest.approx(probability, abs=TOLERANCE), stem


@pytest.mark.parametrize("stem", ["doberman", "both", "bird"])
def test_squeezenet_logits_match_the_oracle(stem: str, squeezenet: ImageNet, data: Path) -> None:
    oracles = json.loads((data / "oracles" / "squeezenet_oracles.json").read_text(encoding="utf-8"))
    oracle = oracles["images"][stem]
    image = Image.open(data / "oracles" / f"{stem}_224.png")
    with torch.inference_mode():
        logits = squeezenet.module(to_tensor(image, squeezenet.mean, squeezenet.std))[0]
    values, indices = logits.topk(5)
    assert indices.tolist() == [index for index, _, _ in oracle["top5"]]
    # Seen: 4e-5.
    torch.testing.assert_close(values, torch.tensor(oracle["logits_top"]), atol=1e-2, rtol=0)


def test_squeezenet_last_fire_module_is_13_by_13(squeezenet: ImageNet) -> None:
    with torch.inference_mode():
        assert squeezenet.module.get_submodule("features")(torch.zeros(1, 3, 224, 224)).shape == (
            1,
            512,
            13,
            13,
        )


def test_vit_attention_rows_sum_to_one(vit_tiny: ImageNet, photos: dict[str, Any]) -> None:
    caught: list[torch.Tensor] = []
    last = vit_tiny.module.get_submodule("blocks.11.attn.attn_drop")
    handle = last.register_forward_hook(lambda *call: caught.append(call[2]))
    try:
        probabilities(vit_tiny, [photos["zebra"].image])
    finally:
        handle.remove()
    assert caught[0].shape == (1, 3, 197, 197)
    torch.testing.assert_close(caught[0].sum(-1), torch.ones(1, 3, 197))
    assert vit_tiny.module.get_submodule("patch_embed").grid_size == (14, 14)


def test_crop_takes_the_centre_of_a_tall_image() -> None:
    image = Image.new("RGB", (256, 512), "black")
    image.paste("white", (0, 200, 256, 312))
    centre = crop(image)
    assert centre.size == (224, 224)
    assert centre.getpixel((112, 112)) == (255, 255, 255)
    assert centre.getpixel((112, 0)) == (0, 0, 0)


def test_expand_undoes_row_quantisation() -> None:
    stored = {
        "proj.weight.q": torch.tensor([[1, -2], [3, 4]], dtype=torch.int8),
        "proj.weight.scale": torch.tensor([0.5, 2.0]),
        "norm.scale": torch.tensor([7.0], dtype=torch.float16),
    }
    weights = expand(stored)
    assert weights.keys() == {"proj.weight", "norm.scale"}
    torch.testing.assert_close(weights["proj.weight"], torch.tensor([[0.5, -1.0], [6.0, 8.0]]))


def test_unknown_names_and_missing_data_are_said(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="squeezenet1_1, tiny_darknet, vit_tiny"):
        imagenet_net("alexnet", data)
    monkeypatch.setenv("SALWIDGETS_DATA", str(data / "no-such-folder"))
    with pytest.raises(FileNotFoundError, match="SALWIDGETS_DATA"):
        imagenet_net("squeezenet1_1")


@pytest.mark.filterwarnings("ignore")
def test_grad_cam_runs_without_torchvision(squeezenet: ImageNet, data: Path) -> None:
    if importlib.util.find_spec("pytorch_grad_cam") is None:
        pytest.skip("grad-cam is not installed")
    peer = import_peer("pytorch_grad_cam")
    # Only the real one, which knows its version, may stay behind.
    assert "torchvision" not in sys.modules or hasattr(sys.modules["torchvision"], "__version__")
    targets = importlib.import_module("pytorch_grad_cam.utils.model_targets")
    image = to_tensor(Image.open(data / "oracles" / "doberman_224.png"), squeezenet.mean, squeezenet.std)
    layer = squeezenet.module.get_submodule("features.12")
    with peer.GradCAM(model=squeezenet.module, target_layers=[layer]) as cam:
        seen = cam(input_tensor=image, targets=[targets.ClassifierOutputTarget(236)])[0]
    oracles = np.load(data / "oracles" / "squeezenet_doberman_dog.npz")
    oracle = oracles["doberman.main.pgc_GradCAM_features12_224"]
    # Seen: 2.5e-4, half a step of the float16 that the oracle is stored in.
    np.testing.assert_allclose(seen, oracle.astype(np.float32), atol=1e-3)


def test_box_iou_by_hand() -> None:
    # 4 x 2 and 2 x 4 share 2 x 2: 4 of 8 + 8 - 4.
    boxes, others = torch.tensor([[0.0, 0, 4, 2]]), torch.tensor([[0.0, 0, 2, 4], [9, 9, 10, 10]])
    torch.testing.assert_close(box_iou(boxes, others), torch.tensor([[1 / 3, 0.0]]))
