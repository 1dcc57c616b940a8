"""Every backbone: shapes, published sizes, stems, and how they react to a wrong size."""

import pytest
import torch

from hashbench.core.cell import Head
from hashbench.core.errors import ConfigError, DataError
from hashbench.core.params import resolve_params
from hashbench.methods.backbones.ae_vit import AEViT, AEViTMini, EnhancedTokens
from hashbench.methods.backbones.alexnet import AlexNet
from hashbench.methods.backbones.deit import DeiT
from hashbench.methods.backbones.resnet import ResNet18, ResNet34, ResNet50, ResNetMini
from hashbench.methods.backbones.vit import ViT
from hashbench.methods.heads import build_head


def build(cls, *, image_size, preset=None, **params):
    torch.manual_seed(0)
    resolved = resolve_params(cls.Params, preset=preset, params=params)
    return cls(cls.Params.model_validate(resolved), image_size=image_size)


def size(module):
    return sum(p.numel() for p in module.parameters())


QUICKSTART_VIT = {"width": 96, "depth": 4, "stem": "conv"}

SMALL = [
    pytest.param(ResNet18, {"stem_stride": 2}, 512, None, id="resnet18"),
    pytest.param(ResNetMini, {}, 128, None, id="resnet_mini"),
    pytest.param(AEViTMini, QUICKSTART_VIT, 96, 1, id="ae_vit_mini-conv"),
    pytest.param(AEViTMini, {"depth": 1}, 192, 1, id="ae_vit_mini-patch"),
]


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize(("cls", "params", "width", "prefix"), SMALL)
def test_small_images_give_features_of_the_stated_width(cls, params, width, prefix, side):
    backbone = build(cls, image_size=side, **params).eval()
    with torch.no_grad():
        output = backbone(torch.randn(2, 3, side, side))
    assert backbone.feature_dim == width
    assert output.pooled.shape == (2, width)
    tokens = None if prefix is None else (2, prefix + (side // 4) ** 2, width)
    assert (None if output.tokens is None else output.tokens.shape) == tokens


LARGE = [
    pytest.param(AlexNet, {}, 4096, None, id="alexnet"),
    pytest.param(ResNet18, {}, 512, None, id="resnet18"),
    pytest.param(ViT, {"variant": "tiny"}, 192, 196, id="vit-tiny-16"),
    pytest.param(ViT, {"variant": "small", "patch": 32}, 384, 49, id="vit-small-32"),
    pytest.param(AEViT, {"variant": "tiny"}, 192, 196, id="ae_vit-tiny-16"),
    pytest.param(DeiT, {"variant": "tiny"}, 192, 196, id="deit-tiny"),
    pytest.param(DeiT, {"variant": "tiny", "distilled": True}, 192, 196, id="deit-tiny-distilled"),
]


@pytest.mark.parametrize(("cls", "params", "width", "patches"), LARGE)
def test_images_of_224_give_features_of_the_stated_width(cls, params, width, patches):
    backbone = build(cls, image_size=224, **params).eval()
    with torch.no_grad():
        output = backbone(torch.randn(1, 3, 224, 224))
    assert backbone.feature_dim == width
    assert output.pooled.shape == (1, width)
    if patches is not None:
        assert output.tokens.shape == (1, backbone.prefix_tokens + patches, width)


def test_published_sizes_without_classifier():
    with torch.device("meta"):
        assert size(build(ResNet18, image_size=224)) == 11_176_512
        assert size(build(ResNet34, image_size=224)) == 21_284_672
        assert size(build(ResNet50, image_size=224)) == 23_508_032
        assert size(build(DeiT, image_size=224, variant="tiny")) == 5_524_416
        assert size(build(DeiT, image_size=224, variant="small")) == 21_665_664
        assert size(build(ViT, image_size=224, variant="tiny")) == 5_524_416
        assert size(build(ViT, image_size=224, variant="small")) == 21_665_664
        assert size(build(ViT, image_size=224, variant="base")) == 85_798_656
        assert size(build(ViT, image_size=224, variant="base", patch=32)) == 87_455_232
        assert size(build(AEViTMini, image_size=32, preset="none")) == 2_691_648


def test_alexnet_with_a_layer_of_1000_in_place_of_fc8_has_the_published_size():
    with torch.device("meta"):
        alexnet = build(AlexNet, image_size=224)
        head = build_head(Head(), alexnet.feature_dim, bits=1000)
    assert size(alexnet) + size(head) == 61_100_840


def test_ae_vit_adds_only_its_aem_to_the_vit():
    with torch.device("meta"):
        plain = build(ViT, image_size=224, variant="tiny")
        enhanced = build(AEViT, image_size=224, variant="tiny")
    new = sum(p.numel() for p in enhanced.new_parameters())
    assert new == 6831
    assert size(enhanced) - size(plain) == new


def test_ae_vit_starts_as_the_vit_of_the_same_seed_bit_for_bit():
    plain = build(ViT, image_size=64, variant="tiny").eval()
    enhanced = build(AEViT, image_size=64, variant="tiny").eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected, actual = plain(images), enhanced(images)
    assert torch.equal(actual.pooled, expected.pooled)
    assert torch.equal(actual.tokens, expected.tokens)


def test_distillation_adds_a_token_and_its_position_and_is_pooled_with_the_class_token():
    plain = build(DeiT, image_size=32, variant="tiny")
    distilled = build(DeiT, image_size=32, variant="tiny", distilled=True).eval()
    assert (plain.prefix_tokens, distilled.prefix_tokens) == (1, 2)
    assert size(distilled) - size(plain) == 2 * 192
    with torch.no_grad():
        output = distilled(torch.randn(2, 3, 32, 32))
    assert output.tokens.shape == (2, 2 + 4, 192)
    torch.testing.assert_close(output.pooled, (output.tokens[:, 0] + output.tokens[:, 1]) / 2)


@pytest.mark.parametrize(("cls", "width"), [(ResNet34, 512), (ResNet50, 2048)])
def test_larger_resnets_have_the_layout_of_torchvision_and_the_stated_width(cls, width):
    from torchvision import models

    with torch.device("meta"):
        backbone = build(cls, image_size=224)
        published = getattr(models, cls.name)(weights=None).state_dict()
        pooled = backbone(torch.zeros(1, 3, 224, 224)).pooled
    ours = {key: value.shape for key, value in backbone.trunk.state_dict().items()}
    assert ours == {k: v.shape for k, v in published.items() if not k.startswith("fc.")}
    assert pooled.shape == (1, backbone.feature_dim) == (1, width)


TOKENS = [
    (ViT, {"variant": "tiny"}),
    (DeiT, {"variant": "tiny"}),
    (AEViT, {"variant": "tiny"}),
    (AEViTMini, {}),
]


@pytest.mark.parametrize(("cls", "params"), TOKENS)
def test_pooled_is_the_class_token(cls, params):
    output = build(cls, image_size=32, **params).eval()(torch.randn(2, 3, 32, 32))
    assert torch.equal(output.pooled, output.tokens[:, 0])
    assert not torch.equal(output.pooled, output.tokens[:, 1])


@pytest.mark.parametrize(("cls", "params"), TOKENS)
def test_pooled_comes_after_the_final_norm(cls, params):
    backbone = build(cls, image_size=32, **params).eval()
    torch.nn.init.constant_(backbone.trunk.norm.weight, 0.0)
    torch.nn.init.constant_(backbone.trunk.norm.bias, 2.5)
    pooled = backbone(torch.randn(2, 3, 32, 32)).pooled
    assert torch.equal(pooled, torch.full_like(pooled, 2.5))


ABLATIONS = {
    "full": {"local", "channel", "spatial"},
    "none": set(),
    "local": {"local"},
    "channel": {"channel"},
    "spatial": {"spatial"},
    "channel_spatial": {"channel", "spatial"},
}


@pytest.mark.parametrize("cls", [AEViT, AEViTMini])
@pytest.mark.parametrize("preset", ABLATIONS)
def test_presets_are_the_ablations(cls, preset):
    with torch.device("meta"):
        backbone = build(cls, image_size=32, preset=preset)
    enhance = "trunk.patch_embed.enhance."
    names = [n.removeprefix(enhance) for n, _ in backbone.named_parameters() if enhance in n]
    assert {name.partition(".")[0] for name in names} == ABLATIONS[preset]
    assert len(backbone.new_parameters()) == len(names)


@pytest.mark.parametrize(("cls", "params"), [(AEViT, {"variant": "tiny"}), (AEViTMini, {})])
def test_aem_after_the_first_block_keeps_the_other_keys_and_its_own_size(cls, params):
    before = build(cls, image_size=32, **params)
    after = build(cls, image_size=32, preset="after_block_0", **params)
    keys = {key for key in before.state_dict() if "enhance" not in key}
    moved = {key for key in after.state_dict() if key not in keys}
    assert keys < set(after.state_dict())
    assert all(key.startswith("trunk.blocks.enhance.") for key in moved)
    assert [name for name, _ in after.trunk.blocks.named_children()][:3] == ["0", "enhance", "1"]
    assert size(after) == size(before)
    assert len(after.new_parameters()) == len(before.new_parameters()) == len(moved)


def test_aem_after_the_first_block_starts_as_the_vit_of_the_same_seed_bit_for_bit():
    plain = build(ViT, image_size=64, variant="tiny").eval()
    enhanced = build(AEViT, image_size=64, variant="tiny", preset="after_block_0").eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(enhanced(images).tokens, plain(images).tokens)


def test_aem_on_tokens_sees_each_at_its_row_and_column_and_leaves_the_prefix_alone():
    torch.manual_seed(0)
    grid, prefix = 3, 2
    aem = EnhancedTokens(8, grid, prefix=prefix, channel=False, spatial=False)
    torch.nn.init.normal_(aem.local.weight)
    tokens = torch.randn(1, prefix + grid**2, 8)
    found = aem(tokens)
    assert torch.equal(found[:, :prefix], tokens[:, :prefix])
    for row in range(grid):
        for column in range(grid):
            expected = tokens[0, prefix + row * grid + column].clone()
            for i in range(grid):
                for j in range(grid):
                    if abs(i - row) <= 1 and abs(j - column) <= 1:
                        weight = aem.local.weight[:, 0, i - row + 1, j - column + 1]
                        expected += weight * tokens[0, prefix + i * grid + j]
            torch.testing.assert_close(found[0, prefix + row * grid + column], expected)


def test_range_one_is_not_the_identity_at_the_start():
    plain = build(ViT, image_size=32, variant="tiny").eval()
    shrunk = build(AEViT, image_size=32, variant="tiny", preset="plain_sigmoid").eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert not torch.allclose(shrunk(images).pooled, plain(images).pooled, atol=1e-3)


@pytest.mark.parametrize("cls", [AEViT, AEViTMini])
def test_parameters_that_came_later_are_resolved_only_where_they_depart(cls):
    usual = resolve_params(cls.Params, preset=None, params={"position": "before", "range": 2})
    moved = resolve_params(cls.Params, preset="after_block_0", params={})
    assert {"position", "range"}.isdisjoint(usual)
    assert moved == {**usual, "position": "after_block_0"}
    assert cls.Params.model_validate(usual).position == "before"


def test_conv_stem_is_new_and_the_patch_convolution_is_not():
    with torch.device("meta"):
        patch = build(AEViTMini, image_size=28, preset="none")
        conv = build(AEViTMini, image_size=28, preset="none", stem="conv")
    assert patch.new_parameters() == []
    stem = sum(p.numel() for p in conv.new_parameters())
    # 3x3 convolutions 3-48-96-192 (the last with bias) and two batch norms.
    assert stem == 27 * 48 + 9 * 48 * 96 + 9 * 96 * 192 + 192 + 2 * (48 + 96)


def test_small_images_meet_a_stem_that_keeps_their_resolution():
    stem = build(ResNet18, image_size=64).trunk
    assert stem.conv1.kernel_size == (3, 3)
    assert stem.conv1.stride == (1, 1)
    assert isinstance(stem.maxpool, torch.nn.Identity)


def test_larger_images_and_an_explicit_wish_get_the_standard_stem():
    for backbone in (
        build(ResNet18, image_size=65),
        build(ResNet18, image_size=32, stem="standard"),
    ):
        assert backbone.trunk.conv1.kernel_size == (7, 7)
        assert isinstance(backbone.trunk.maxpool, torch.nn.MaxPool2d)


def test_resnet_mini_counts_as_its_docstring_says():
    width, blocks = 8, 2
    backbone = build(ResNetMini, image_size=28, width=width, blocks=blocks)
    expected = 27 * width + 2 * width
    inputs = width
    for outputs in (width, 2 * width, 4 * width):
        expected += 9 * inputs * outputs + (2 * blocks - 1) * 9 * outputs**2
        expected += 2 * blocks * 2 * outputs
        expected += inputs * outputs + 2 * outputs if outputs > inputs else 0
        inputs = outputs
    assert size(backbone) == expected


def test_dropout_eval_keeps_dropout_off_in_training():
    images = torch.rand(1, 3, 64, 64)
    fixed = build(AlexNet, image_size=64, dropout_eval=True).train()
    assert torch.equal(fixed(images).pooled, fixed(images).pooled)
    usual = build(AlexNet, image_size=64).train()
    assert not torch.equal(usual(images).pooled, usual(images).pooled)


@pytest.mark.parametrize(
    ("cls", "side", "params"),
    [(ViT, 225, {"variant": "tiny"}), (AEViT, 100, {"patch": 32}), (AEViTMini, 30, {})],
)
def test_patch_that_does_not_divide_the_image_is_refused(cls, side, params):
    with pytest.raises(ConfigError, match=f"does not divide the image_size {side}; use a multiple"):
        build(cls, image_size=side, **params)


def test_alexnet_refuses_images_its_convolutions_cannot_take():
    with pytest.raises(ConfigError, match="image_size 28 is too small; use at least 63"):
        build(AlexNet, image_size=28)


@pytest.mark.parametrize(
    ("cls", "params", "problem"),
    [
        (ViT, {"variant": "tiny", "patch": 32}, "patch: .*timm has no vit_tiny_patch32_224"),
        (AEViTMini, {"width": 100, "heads": 3}, "heads: .*must divide the width 100"),
        (AEViTMini, {"patch": 7, "stem": "conv"}, "stem: .*set patch: 4"),
    ],
)
def test_impossible_parameters_are_refused_by_name(cls, params, problem):
    with pytest.raises(ConfigError, match=problem):
        resolve_params(cls.Params, preset=None, params=params)


@pytest.mark.parametrize("cls", [ResNetMini, AEViTMini])
def test_networks_of_ours_have_no_published_weights(cls):
    with pytest.raises(DataError, match="no published weights; write weights: none or a file"):
        cls.fetch_pretrained(cls.Params(), "timm/resnet18")
