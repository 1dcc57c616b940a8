"""Any of timm's networks by name: what is read off it, and names that are none."""

import pytest
import timm
import torch

from hashbench.core.errors import ConfigError, DataError
from hashbench.core.params import BaseParams
from hashbench.core.registry import Kind, registry
from hashbench.methods.backbones.timm_model import TimmModel


def build(name, *, image_size=None, seed=0):
    cls = TimmModel.member(name)
    torch.manual_seed(seed)
    return cls(BaseParams(), image_size=image_size or cls.image_size)


SHAPES = [
    pytest.param("test_vit", 64, 101, id="class-token"),
    pytest.param("test_resnet", 96, None, id="residual"),
    pytest.param("mobilenetv3_small_100", 1024, None, id="hidden-layer-in-the-head"),
    pytest.param("deit_tiny_distilled_patch16_224", 192, 198, id="two-prefix-tokens"),
    pytest.param("mixer_s32_224", 512, None, id="patches-without-a-class-token"),
]


@pytest.mark.parametrize(("name", "width", "tokens"), SHAPES)
def test_width_and_tokens_are_found_out_from_the_network(name, width, tokens):
    backbone = build(name).eval()
    with torch.no_grad():
        output = backbone(torch.randn(2, 3, backbone.image_size, backbone.image_size))
    assert backbone.feature_dim == width
    assert output.pooled.shape == (2, width)
    assert backbone.has_tokens is (tokens is not None)
    assert (None if output.tokens is None else output.tokens.shape[1:]) == (
        None if tokens is None else (tokens, width)
    )


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_efficientnet"])
def test_pooled_output_is_what_timm_gives_without_a_classifier(name):
    backbone = build(name, seed=3).eval()
    reference = timm.create_model(name, num_classes=0).eval()
    reference.load_state_dict(backbone.trunk.state_dict())
    images = torch.randn(2, 3, 160, 160)
    with torch.no_grad():
        torch.testing.assert_close(backbone(images).pooled, reference(images))


def test_input_side_and_normalisation_are_those_timm_states():
    found = {
        name: (cls.image_size, cls.pretrained_normalisation)
        for name in ("convnext_tiny", "test_vit", "vit_base_patch16_clip_224", "fastvit_mci0")
        for cls in [TimmModel.member(name)]
    }
    assert found == {
        "convnext_tiny": (224, "imagenet"),
        "test_vit": (160, "half"),
        "vit_base_patch16_clip_224": (224, "clip"),
        "fastvit_mci0": (256, "unit"),
    }


def test_residual_networks_alone_have_dropout_in_the_mlp3_neck():
    assert TimmModel.member("test_resnet").neck_dropout == 0.5
    assert TimmModel.member("test_vit").neck_dropout == 0.0


def test_finding_out_the_width_draws_no_random_number():
    known = build("test_vit", image_size=96).state_dict()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    TimmModel.member("test_vit2")
    assert torch.equal(torch.get_rng_state(), before)
    again = build("test_vit", image_size=96).state_dict()
    assert all(torch.equal(again[key], known[key]) for key in known)


def test_another_input_side_is_taken_where_the_network_can():
    assert build("test_vit", image_size=32).trunk.pos_embed.shape[1] == 1 + 4
    assert build("test_resnet", image_size=33).feature_dim == 96


def test_an_input_side_that_it_cannot_take_is_refused_in_one_line():
    with pytest.raises(ConfigError, match="timm/test_vit cannot take images of 8 px") as caught:
        build("test_vit", image_size=8)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_published_layout_loads_without_its_classifier(name):
    torch.manual_seed(5)
    published = timm.create_model(name, num_classes=10).eval()
    backbone = build(name).eval()
    backbone.load_pretrained(published.state_dict())
    images = torch.randn(1, 3, 160, 160)
    with torch.no_grad():
        expected = published.forward_head(published.forward_features(images), pre_logits=True)
        torch.testing.assert_close(backbone(images).pooled, expected)


def test_positions_follow_the_grid_and_own_state_dicts_return():
    saved = build("test_vit", seed=1)
    smaller = build("test_vit", image_size=64, seed=2)
    smaller.load_pretrained(saved.state_dict())
    assert smaller.trunk.pos_embed.shape[1] == 1 + 16
    assert torch.equal(smaller.trunk.pos_embed[:, 0], saved.trunk.pos_embed[:, 0])


def test_weights_of_another_network_are_refused():
    with pytest.raises(DataError, match="weights: do not fit timm/test_resnet: missing: "):
        build("test_resnet").load_pretrained({"somewhere": torch.ones(1)})


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("timm/convnxt_tiny", r"unknown name 'timm/convnxt_tiny'.*Did you mean 'timm/convnext_tin"),
        ("timm/qqqqzzzz", r"unknown name 'timm/qqqqzzzz' in backbones\. timm\.list_models\(\) "),
        ("timm/resnet18.a1_in1k", "write name: timm/resnet18, weights: timm/resnet18.a1_in1k"),
        ("timm/vit_base_patch16_sapiens2", "not square colour ones"),
        ("tim/resnet18", "unknown name 'tim/resnet18' in backbones"),
    ],
)
def test_names_that_are_none_are_refused_with_what_would_be_right(name, problem):
    with pytest.raises(ConfigError, match=problem) as caught:
        registry().load(Kind.BACKBONE, name)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_name_is_looked_up_like_any_other_and_gives_the_same_class_each_time():
    first, second = (registry().load(Kind.BACKBONE, "timm/test_vit") for _ in range(2))
    assert first is second
    assert issubclass(first, TimmModel)
    assert registry().get(Kind.BACKBONE, "timm/test_vit").name == "timm/test_vit"
    assert registry().load(Kind.BACKBONE, "timm/*") is TimmModel
