"""From a matrix to its cells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from hashbench.core.canonical import digest_file
from hashbench.core.cell import Determinism, Precision, Subset, Weights
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Registry
from hashbench.matrix.expand import Expansion, expand
from hashbench.matrix.load import load_matrix

Expand = Callable[[str], Expansion]

LSH = """\
datasets: [digits]
methods: {pairs: [{method: lsh}]}
bits: 16
"""
DEEP = """\
datasets: [digits]
methods: {grid: {backbones: [resnet_mini], losses: [hsc, dsh]}}
bits: [16, 32]
"""
PLUGIN = '''
"""Losses that no installed one is like."""
from hashbench.core.info import ComponentInfo, LabelKind
from hashbench.methods.interface import HashLoss, LossTerms, Needs


class MultiOnly(HashLoss):
    """For multi-label data."""

    info = ComponentInfo(title="Multi", labels=frozenset({LabelKind.MULTI}))

    def forward(self, batch):
        return LossTerms({})


class ReadsFirst(HashLoss):
    """Reads features before training."""

    info = ComponentInfo(title="Reads first")
    needs = Needs(prepass=True)

    def forward(self, batch):
        return LossTerms({})
'''


def labels(expansion: Expansion) -> list[str]:
    return [str(cell).removeprefix("digits@1 | ") for cell in expansion.cells]


def problems(expanded: Expand, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        expanded(text)
    return [problem.partition("matrix.yaml:")[2] for problem in caught.value.problems]


def test_cells_are_told_with_the_presets_that_they_differ_by(expanded: Expand) -> None:
    text = """\
        datasets: [digits]
        methods:
          pairs:
            - {backbone: {name: ae_vit, preset: local}, loss: hsc}
            - {backbone: mlp, loss: {name: ud2h, preset: symmetric}}
        bits: 16
        train: {prepass: pixels}
        """
    assert labels(expanded(text)) == [
        "ae_vit (local) + hsc | 16 bits | seed 0",
        "mlp + ud2h (symmetric) | 16 bits | seed 0",
    ]
    methods = [cell.method_label for cell in expanded(text).cells]
    assert methods == ["ae_vit + hsc", "mlp + ud2h"]


def test_everything_is_crossed_in_the_order_of_the_matrix(expanded: Expand) -> None:
    found = expanded(
        """\
        datasets: [digits]
        methods:
          grid: {backbones: [resnet_mini, vit], losses: [hsc, dsh]}
          pairs:
            - {backbone: vit, loss: csq}
            - {method: itq, features: resnet_mini}
            - {method: lsh, features: pixels}
        bits: [16, 32]
        seeds: [0, 1]
        """
    )
    methods = [
        "resnet_mini + hsc",
        "resnet_mini + dsh",
        "vit + hsc",
        "vit + dsh",
        "vit + csq",
        "itq on resnet_mini",
        "lsh on pixels",
    ]
    assert labels(found) == [
        f"{method} | {bits} bits | seed {seed}"
        for method in methods
        for bits in (16, 32)
        for seed in (0, 1)
    ]
    assert len({cell.fit_id for cell in found.cells}) == 28


def test_every_dataset_is_crossed_with_every_method(expanded: Expand) -> None:
    text = LSH.replace("[digits]", "[digits, {name: digits, subset: {train: 50, seed: 3}}]")
    whole, part = expanded(text).cells
    assert whole.data.subset is None
    assert part.data.subset == Subset(50, None, None, 3)
    assert part.data.label == "digits@1[50/all/all#3]"


def test_the_float_row_is_one_cell_at_the_first_seed(expanded: Expand) -> None:
    text = "datasets: digits\nmethods: {pairs: [{method: cosine}]}\nbits: [8, 16]\nseeds: [3, 4]\n"
    assert labels(expanded(text)) == ["cosine on pixels | float bits | seed 3"]


def test_equal_cells_come_once(expanded: Expand) -> None:
    text = LSH.replace("bits: 16", "bits: [16, 16]\nseeds: [0, 0]").replace(
        "[{method: lsh}]", "[{method: lsh}, {method: {name: lsh, params: {centre: true}}}]"
    )
    assert labels(expanded(text)) == ["lsh on pixels | 16 bits | seed 0"]


def test_a_shallow_cell_has_no_training_and_a_deep_one_no_method(expanded: Expand) -> None:
    (shallow,) = expanded(LSH).cells
    assert (shallow.train, shallow.head, shallow.loss, shallow.backbone) == (None,) * 4
    deep = expanded(DEEP).cells[0]
    assert deep.method is None
    assert deep.train is not None
    assert (deep.precision, deep.determinism) == (Precision.FP32, Determinism.STRICT)


def test_a_grid_s_last_layer_is_that_of_the_losses_that_leave_the_choice(expanded: Expand) -> None:
    losses = "losses: [{name: hsc, last_layer: bn}, dsh, orthohash]"
    text = DEEP.replace("losses: [hsc, dsh]", f"last_layer: linear_uniform, {losses}")
    heads = {cell.loss.name: cell.head.last_layer for cell in expanded(text).cells if cell.loss}
    assert heads == {"hsc": "bn", "dsh": "linear_uniform", "orthohash": "bn"}


def test_the_last_layer_is_the_one_asked_for(expanded: Expand) -> None:
    text = DEEP.replace("[hsc, dsh]", "[{name: hsc, last_layer: bn}, dsh]")
    heads = [cell.head.last_layer for cell in expanded(text).cells if cell.head]
    assert heads == ["bn", "bn", "linear", "linear"]


def test_excluded_cells_are_left_out_and_counted(expanded: Expand) -> None:
    found = expanded(
        DEEP
        + "exclude:\n"
        + "  - {loss: dsh, bits: [16, 64], because: too short}\n"
        + "  - {loss: [dsh, csq], because: slow}\n"
    )
    assert labels(found) == [
        "resnet_mini + hsc | 16 bits | seed 0",
        "resnet_mini + hsc | 32 bits | seed 0",
    ]
    assert found.excluded == (("too short", 1), ("slow", 1))


@pytest.mark.parametrize(
    "where",
    [
        "dataset: digits",
        "protocol: digits@1",
        "backbone: resnet_mini",
        "loss: [hsc, dsh]",
        "bits: [16, 32]",
        "seed: 0",
    ],
)
def test_a_rule_may_name_any_key(where: str, expanded: Expand) -> None:
    found = expanded(f"{DEEP}exclude: [{{{where}, because: x}}]\n")
    assert found.cells == ()
    assert found.excluded == (("x", 4),)


def test_pixels_and_methods_are_names_in_a_rule(expanded: Expand) -> None:
    found = expanded(f"{LSH}exclude: [{{method: lsh, backbone: pixels, because: x}}]\n")
    assert found.excluded == (("x", 1),)


def test_rules_that_match_no_cell_are_mistakes_told_together(expanded: Expand) -> None:
    found = problems(
        expanded,
        DEEP
        + "exclude:\n  - {loss: hcs, because: x}\n  - {loss: dsh, because: y}\n"
        + "overrides:\n  - {where: {loss: dsh}, train: {lr: 1}}\n",
    )
    assert found == [
        "7:5: exclude.0: matches no cell. Correct its names or remove it",
        "10:5: overrides.0: matches no cell. Correct its names or remove it",
    ]


def test_overrides_apply_in_order_to_the_cells_they_name(expanded: Expand) -> None:
    found = expanded(
        DEEP
        + "train: {epochs: 5, lr: 0.1, precision: bf16}\n"
        + "overrides:\n"
        + "  - {where: {loss: dsh}, train: {lr: 0.2, precision: fp32}}\n"
        + "  - {where: {bits: 32, loss: dsh}, train: {lr: 0.3, determinism: fast}}\n"
    )
    settings = [
        (cell.train.epochs, cell.train.lr, str(cell.precision), str(cell.determinism))
        for cell in found.cells
        if cell.train
    ]
    assert settings == [
        (5, 0.1, "bf16", "strict"),
        (5, 0.1, "bf16", "strict"),
        (5, 0.2, "fp32", "strict"),
        (5, 0.3, "fp32", "fast"),
    ]


def test_an_override_may_take_a_setting_back(expanded: Expand) -> None:
    found = expanded(
        DEEP
        + "train: {validation: {fraction: 0.1}, epochs: 5}\n"
        + "overrides: [{where: {loss: dsh}, train: {validation: null, epochs: null}}]\n"
    )
    trained = [cell.train for cell in found.cells if cell.train]
    assert [settings.validation is None for settings in trained] == [False, False, True, True]
    assert [settings.epochs for settings in trained] == [5, 5, 100, 100]


def test_a_pair_that_cannot_be_trained_is_refused_until_it_is_excluded(
    expanded: Expand, tmp_path: Path
) -> None:
    (tmp_path / "multi.py").write_text(PLUGIN)
    text = DEEP.replace("[hsc, dsh]", "[hsc, multi_only]") + "plugins: [multi.py]\n"
    assert problems(expanded, text) == [
        "4:58: methods.grid.losses.1: multi_only cannot be trained on single-label data (digits). "
        "Exclude the pair, with a reason"
    ]
    text += "exclude: [{loss: multi_only, because: digits have one label}]\n"
    assert len(expanded(text).cells) == 2


def test_a_loss_that_reads_features_first_needs_something_to_read(
    expanded: Expand, tmp_path: Path
) -> None:
    (tmp_path / "multi.py").write_text(PLUGIN)
    text = DEEP.replace("[hsc, dsh]", "[hsc, reads_first]") + "plugins: [multi.py]\n"
    (problem,) = problems(expanded, text)
    assert "reads_first reads features before training, and resnet_mini has no weights" in problem
    found = expanded(f"{text}train: {{prepass: pixels}}\n")
    read = [cell.train.prepass for cell in found.cells if cell.train]
    assert read == [None, None, "pixels", "pixels"]


def test_validation_wanted_where_nothing_is_held_out_is_a_mistake(expanded: Expand) -> None:
    text = f"{DEEP}evaluate: {{every: 5}}\n"
    (problem,) = problems(expanded, text)
    assert problem.startswith("6:12: evaluate.every: nothing is held out")
    assert len(expanded(f"{text}train: {{validation: {{fraction: 0.2}}}}\n").cells) == 4


def test_weights_from_a_file_are_known_by_their_checksum_alone(
    expanded: Expand, tmp_path: Path
) -> None:
    for name in ("one.pt", "two.pt"):
        (tmp_path / name).write_bytes(b"weights")
    first, second = (
        expanded(DEEP.replace("[resnet_mini]", f"[{{name: resnet_mini, weights: {name}}}]"))
        for name in ("one.pt", "two.pt")
    )
    sha256 = digest_file(tmp_path / "one.pt")
    assert first.cells == second.cells
    assert first.cells[0].weights == Weights("file", sha256)
    assert first.weights == {sha256: tmp_path / "one.pt"}


def test_weights_decide_the_recipes_rates_and_the_normalisation(expanded: Expand) -> None:
    text = DEEP.replace("[resnet_mini]", "[resnet18, {name: resnet18, weights: timm/resnet18}]")
    scratch, _, _, _, pretrained, *_ = expanded(text).cells
    assert scratch.train and pretrained.train
    assert (scratch.train.backbone_lr, pretrained.train.backbone_lr) == (1e-3, 1e-5)
    assert scratch.data.normalisation == "protocol"
    assert pretrained.data.normalisation == "imagenet"


def test_the_input_size_is_the_matrixs_then_the_backbones_then_the_protocols(
    expanded: Expand,
) -> None:
    text = DEEP.replace(
        "[resnet_mini]", "[{name: resnet_mini, image_size: 32}, alexnet, resnet_mini]"
    )
    sizes = [cell.data.image_size for cell in expanded(text).cells]
    assert sizes[::4] == [32, 224, 8]


UNRELATED = [
    "evaluate: {metrics: [map, precision@10], cutoffs: [5, 10], radius: 2}\n",
    "latency: [{engine: exact, k: 3}]\n",
    "execute: {device: cpu, threads: 1, timeout: 5m}\n",
    "exclude: [{loss: dsh, because: slow}]\n",
]


@pytest.mark.parametrize("block", UNRELATED)
def test_what_makes_no_codes_is_not_in_the_id(block: str, expanded: Expand) -> None:
    assert expanded(DEEP + block).cells[0].fit_id == expanded(DEEP).cells[0].fit_id


def test_the_matrixs_name_and_place_are_not_in_the_id(
    expanded: Expand, write: Callable[[str], Path], components: Registry
) -> None:
    file = write(f"version: 1\nname: another\n{DEEP}")
    moved = file.with_name("moved.yaml")
    file.rename(moved)
    other = expand(load_matrix(moved, components), components)
    assert other.cells == expanded(DEEP).cells


RELATED = {
    "subset": ("[digits]", "[{name: digits, subset: {train: 100}}]"),
    "subset seed": ("[digits]", "[{name: digits, subset: {seed: 1}}]"),
    "backbone": ("[resnet_mini]", "[resnet18]"),
    "backbone's parameters": ("[resnet_mini]", "[{name: resnet_mini, params: {width: 8}}]"),
    "input size": ("[resnet_mini]", "[{name: resnet_mini, image_size: 16}]"),
    "normalisation": ("[resnet_mini]", "[{name: resnet_mini, normalisation: half}]"),
    "loss": ("[hsc, dsh]", "[csq]"),
    "loss's parameters": ("[hsc, dsh]", "[{name: hsc, params: {temperature: 0.5}}]"),
    "last layer": ("[hsc, dsh]", "[{name: hsc, last_layer: bn}]"),
    "bits": ("[16, 32]", "[24]"),
    "seed": ("bits: [16, 32]", "bits: 16\nseeds: 1"),
    **{
        key: ("bits: [16, 32]", f"bits: 16\ntrain: {{{key}: {value}}}")
        for key, value in {
            "recipe": "vts",
            "epochs": "7",
            "batch_size": "7",
            "optimiser": "sgd",
            "lr": "0.7",
            "backbone_lr": "0.7",
            "weight_decay": "0.7",
            "momentum": "0.7",
            "nesterov": "true",
            "schedule": "{kind: constant}",
            "augmentation": "flip",
            "validation": "{fraction: 0.2}",
            "precision": "bf16",
            "determinism": "fast",
        }.items()
    },
}


@pytest.mark.parametrize("change", RELATED)
def test_what_makes_the_codes_is_in_the_id(change: str, expanded: Expand) -> None:
    old, new = RELATED[change]
    assert old in DEEP
    changed = expanded(DEEP.replace(old, new)).cells[0]
    assert changed.fit_id != expanded(DEEP).cells[0].fit_id


def test_a_default_written_out_gives_the_same_id(expanded: Expand) -> None:
    written = dedent(
        """\
        train: {recipe: ours, precision: fp32, determinism: strict, augmentation: none}
        seeds: [0]
        """
    )
    assert expanded(DEEP + written).cells == expanded(DEEP).cells
