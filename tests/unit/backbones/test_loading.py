"""Published weights into trunks: strict, cast, interpolated, and clear when they do not fit."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hashbench.core.errors import DataError
from hashbench.methods.backbones.ae_vit import AEViT, AEViTMini
from hashbench.methods.backbones.alexnet import AlexNet
from hashbench.methods.backbones.deit import DeiT
from hashbench.methods.backbones.resnet import ResNet18, ResNetMini
from hashbench.methods.backbones.vit import ViT
from hashbench.methods.weights import read_state_dict

CASES = [
    pytest.param(ResNet18, {}, 32, id="resnet18-small-stem"),
    pytest.param(ResNetMini, {"width": 8}, 28, id="resnet_mini"),
    pytest.param(ViT, {"variant": "tiny"}, 32, id="vit"),
    pytest.param(AEViT, {"variant": "tiny"}, 32, id="ae_vit"),
    pytest.param(AEViTMini, {"width": 24, "depth": 1, "stem": "conv"}, 28, id="ae_vit_mini-conv"),
]


def build(cls, params, *, image_size, seed):
    torch.manual_seed(seed)
    return cls(cls.Params.model_validate(params), image_size=image_size)


@pytest.mark.parametrize("suffix", ["safetensors", "pt", "pth"])
@pytest.mark.parametrize(("cls", "params", "side"), CASES)
def test_own_state_dict_returns_through_a_file(cls, params, side, suffix, tmp_path):
    saved = build(cls, params, image_size=side, seed=1).eval()
    path = tmp_path / f"weights.{suffix}"
    if suffix == "safetensors":
        save_file(saved.state_dict(), path)
    else:
        torch.save(saved.state_dict(), path)
    loaded = build(cls, params, image_size=side, seed=2).eval()
    loaded.load_pretrained(read_state_dict(path))
    images = torch.randn(2, 3, side, side)
    with torch.no_grad():
        assert torch.equal(loaded(images).pooled, saved(images).pooled)


def published(variant="tiny", *, side):
    """A state dict in timm's layout, as a hub file has it: a classifier, here fp16 matrices."""
    from timm import create_model

    torch.manual_seed(7)
    model = create_model(f"vit_{variant}_patch16_224", num_classes=10, img_size=side)
    return {k: v.half() if v.ndim > 1 else v for k, v in model.state_dict().items()}


@pytest.mark.parametrize("cls", [ViT, AEViT])
def test_published_vit_loads_without_its_classifier_and_as_float32(cls):
    state = published(side=32)
    backbone = build(cls, {"variant": "tiny"}, image_size=32, seed=1)
    backbone.load_pretrained(state)
    qkv = backbone.trunk.state_dict()["blocks.3.attn.qkv.weight"]
    assert qkv.dtype == torch.float32
    assert torch.equal(qkv, state["blocks.3.attn.qkv.weight"].float())
    assert torch.equal(backbone.trunk.patch_embed.proj.bias, state["patch_embed.proj.bias"])


def test_pretrained_forward_is_the_same_with_and_without_aem():
    state = published(side=64)
    plain = build(ViT, {"variant": "tiny"}, image_size=64, seed=1).eval()
    enhanced = build(AEViT, {"variant": "tiny"}, image_size=64, seed=2).eval()
    for backbone in (plain, enhanced):
        backbone.load_pretrained(state)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(enhanced(images).tokens, plain(images).tokens)


def test_loading_the_caller_s_tensors_leaves_them_as_they_are():
    state = published(side=32)
    copies = {key: value.clone() for key, value in state.items()}
    backbone = build(ViT, {"variant": "tiny"}, image_size=32, seed=1)
    backbone.load_pretrained(state)
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.zero_()
    assert all(torch.equal(state[key], copies[key]) for key in copies)


def test_position_embeddings_follow_a_change_of_grid_and_keep_the_class_token():
    state = published(side=64)
    # A plane over the 4x4 grid: bicubic interpolation keeps a plane's middle and its slopes' signs.
    rows, columns = torch.meshgrid(torch.arange(4.0), torch.arange(4.0), indexing="ij")
    plane = (rows + 10 * columns).reshape(1, 16, 1).expand(1, 16, 192)
    state["pos_embed"] = torch.cat([torch.full((1, 1, 192), 99.0), plane], dim=1)
    backbone = build(ViT, {"variant": "tiny"}, image_size=128, seed=1)
    backbone.load_pretrained(state)
    positions = backbone.trunk.pos_embed.detach()
    assert torch.equal(positions[0, 0], torch.full((192,), 99.0))
    grid = positions[0, 1:, 0].reshape(8, 8)
    assert torch.all(grid.diff(dim=0) > 0)
    assert torch.all(grid.diff(dim=1) > 0)
    assert grid.mean().item() == pytest.approx(1.5 + 15, abs=1e-3)


# Without the spatial map, whose kernel follows the grid.
MINI = {"width": 24, "depth": 1, "spatial": False}
GRIDS = [
    pytest.param(ViT, {"variant": "tiny"}, (224, 32), 16, 1, id="vit-224-to-32"),
    pytest.param(ViT, {"variant": "tiny"}, (32, 224), 16, 1, id="vit-32-to-224"),
    pytest.param(DeiT, {"variant": "tiny", "distilled": True}, (64, 32), 16, 2, id="distilled"),
    pytest.param(AEViTMini, MINI, (32, 28), 4, 1, id="mini-32-to-28"),
    pytest.param(AEViTMini, MINI, (28, 32), 4, 1, id="mini-28-to-32"),
    pytest.param(AEViTMini, MINI, (32, 224), 4, 1, id="mini-32-to-224"),
]


@pytest.mark.parametrize(("cls", "params", "sides", "patch", "prefix"), GRIDS)
def test_position_embeddings_are_resized_as_pillow_resizes_an_image(
    cls, params, sides, patch, prefix
):
    old, new = sides
    saved = build(cls, params, image_size=old, seed=1)
    loaded = build(cls, params, image_size=new, seed=2)
    loaded.load_pretrained(saved.state_dict())
    given, found = (b.trunk.pos_embed.detach()[0].numpy() for b in (saved, loaded))
    assert found.shape == (prefix + (new // patch) ** 2, given.shape[1])
    np.testing.assert_array_equal(found[:prefix], given[:prefix])
    for channel in (0, 7, -1):
        plane = Image.fromarray(given[prefix:, channel].reshape(old // patch, old // patch))
        expected = plane.resize((new // patch, new // patch), Image.Resampling.BICUBIC)
        actual = found[prefix:, channel].reshape(new // patch, new // patch)
        np.testing.assert_allclose(actual, np.asarray(expected), atol=1e-5)


def test_published_vit_loads_below_an_aem_after_the_first_block():
    state = published(side=32)
    params = {"variant": "tiny", "position": "after_block_0"}
    backbone = build(AEViT, params, image_size=32, seed=1)
    backbone.load_pretrained(state)
    assert torch.equal(
        backbone.trunk.state_dict()["blocks.11.norm2.bias"], state["blocks.11.norm2.bias"]
    )


def test_an_aem_in_another_place_does_not_fit():
    params = {"variant": "tiny"}
    saved = build(AEViT, params, image_size=32, seed=1).state_dict()
    moved = build(AEViT, {**params, "position": "after_block_0"}, image_size=32, seed=1)
    with pytest.raises(DataError, match=r"unknown: patch_embed\.enhance\.local\.weight"):
        moved.load_pretrained(saved)


def test_equal_grid_leaves_position_embeddings_untouched():
    state = published(side=64)
    backbone = build(ViT, {"variant": "tiny"}, image_size=64, seed=1)
    backbone.load_pretrained(state)
    assert torch.equal(backbone.trunk.pos_embed, state["pos_embed"].float())


def test_torchvision_s_resnet18_layout_loads_into_the_standard_stem():
    from torchvision.models import resnet18

    torch.manual_seed(3)
    reference = resnet18(weights=None).eval()
    state = reference.state_dict()
    for key in [key for key in state if key.endswith("num_batches_tracked")]:
        del state[key]  # the first published files do not have them
    backbone = build(ResNet18, {}, image_size=96, seed=1).eval()
    backbone.load_pretrained(state)
    reference.fc = torch.nn.Identity()
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images).pooled, reference(images))


def test_torchvision_s_alexnet_loads_and_gives_the_second_relu_s_output():
    from torchvision.models import alexnet

    torch.manual_seed(3)
    reference = alexnet(weights=None).eval()
    backbone = build(AlexNet, {}, image_size=64, seed=1).eval()
    backbone.load_pretrained(reference.state_dict())
    reference.classifier[6] = torch.nn.Identity()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        pooled = backbone(images).pooled
        assert torch.equal(pooled, reference(images))
    assert pooled.min() >= 0


def test_missing_unknown_and_misshapen_tensors_are_named_together_and_nothing_is_loaded():
    state = published(side=32)
    del state["blocks.0.norm1.weight"]
    state["blocks.0.extra"] = torch.zeros(1)
    state["norm.bias"] = torch.zeros(7)
    backbone = build(ViT, {"variant": "tiny"}, image_size=32, seed=1)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    with pytest.raises(DataError) as caught:
        backbone.load_pretrained(state)
    assert str(caught.value) == (
        "weights: do not fit vit: missing: blocks.0.norm1.weight; unknown: blocks.0.extra; "
        "of another shape: norm.bias is (7,), should be (192,)"
    )
    after = backbone.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)


def test_many_missing_tensors_are_counted_not_listed():
    backbone = build(ViT, {"variant": "tiny"}, image_size=32, seed=1)
    with pytest.raises(DataError, match=r"missing: cls_token, pos_embed, \S+ and \d+ more$"):
        backbone.load_pretrained({})


def test_weights_of_another_width_are_refused():
    backbone = build(ViT, {"variant": "tiny"}, image_size=32, seed=1)
    with pytest.raises(DataError, match=r"cls_token is \(1, 1, 384\), should be \(1, 1, 192\)"):
        backbone.load_pretrained(published("small", side=64))


def test_published_weights_meet_the_small_stem_with_a_remedy():
    from torchvision.models import resnet18

    backbone = build(ResNet18, {}, image_size=32, seed=1)
    with pytest.raises(DataError, match="set the backbone's parameter stem: standard"):
        backbone.load_pretrained(resnet18(weights=None).state_dict())


def test_part_of_an_aem_is_no_aem():
    saved = build(AEViT, {"variant": "tiny"}, image_size=32, seed=1).state_dict()
    del saved["trunk.patch_embed.enhance.local.bias"]
    backbone = build(AEViT, {"variant": "tiny"}, image_size=32, seed=2)
    with pytest.raises(DataError, match=r"missing: patch_embed\.enhance\.local\.bias$"):
        backbone.load_pretrained(saved)


def test_patch_convolution_s_weights_do_not_fit_a_conv_stem():
    params = {"width": 24, "depth": 1}
    plain = build(AEViTMini, params, image_size=28, seed=1).state_dict()
    stem = build(AEViTMini, {**params, "stem": "conv"}, image_size=28, seed=1)
    with pytest.raises(DataError, match=r"unknown: patch_embed\.proj\.weight"):
        stem.load_pretrained(plain)
