"""What plugins import: one public module, and for one version the modules' earlier places."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path

import pytest

import hashbench.plugin
from hashbench.core.errors import ConfigError
from hashbench.core.registry import Entry, Kind

# What the documentation, the templates and the test plugins of version 0.1.0 imported, where it was
# then, and the names that each building block of the losses had.
EARLIER = {
    "hashbench.datasets.protocol": "FOLDER ProtocolSpec read_protocol load_protocol",
    "hashbench.datasets.digits": "Digits",
    "hashbench.shards.writer": "ShardWriter",
    "hashbench.shards.queries": "read_queries",
    "hashbench.shards.folder": "ShardFolder",
    "hashbench.shards.evaluate": "evaluate_shards",
    "hashbench.methods.centres": "CentreMethod make_centres class_centres centre_refusals "
    "hamming_distances least_distance tie_vector merged_centres",
    "hashbench.methods.classifier": "linear_classifier first_label label_cross_entropy",
    "hashbench.methods.cooccurrence": "damped_cooccurrence cooccurrence_similarity",
    "hashbench.methods.directions": "centred_directions",
    "hashbench.methods.discrete": "coordinate_sweep",
    "hashbench.methods.distance_histogram": "HistogramRange DistanceSpread distance_spread",
    "hashbench.methods.features": "FeatureMemory PixelFeatures BackboneFeatures evaluating",
    "hashbench.methods.half_pairs": "even_rows half_cosines cosine_gap",
    "hashbench.methods.half_signs": "half_signs",
    "hashbench.methods.kmeans": "kmeans cluster_means",
    "hashbench.methods.label_similarity": "LabelSimilarity",
    "hashbench.methods.neighbours": "neighbour_lists adjacency_rows adjacency_pairs "
    "adjacency_edges",
    "hashbench.methods.outer_iterations": "DatabaseCodes OuterIterations OuterIterationLoss",
    "hashbench.methods.pair_likelihood": "pair_likelihood",
    "hashbench.methods.pairs": "PairWeight labelled similar_pairs label_jaccard label_cosine "
    "margin_losses pair_mean",
    "hashbench.methods.partners": "Pairs Partners PairPartners",
    "hashbench.methods.prepass_directions": "prepass_directions",
    "hashbench.methods.primitives": "sgn straight_through_sgn softplus log_cosh logit_nll "
    "off_binary squared_distances unit_rows masked_mean",
    "hashbench.methods.proxy_threshold": "ThresholdSource ProxyThreshold proxy_threshold "
    "griesmer_length griesmer_distance",
    "hashbench.methods.pseudo_similarity": "PseudoSimilarity",
    "hashbench.methods.second_view": "second_view",
    "hashbench.methods.necks": "PooledNeck TokenNeck PerceptronNeck",
    "hashbench.methods.shallow.feature_method": "FeatureMethod",
    "hashbench.methods.shallow.linear_classifier": "fit_linear",
    "hashbench.methods.shallow.rotation": "random_rotation",
    "hashbench.methods.soft_clusters": "log_assignment sharpened divergence usable",
}


def test_the_public_module_loads_torch_only_for_a_name_that_needs_it() -> None:
    program = (
        "import sys, hashbench.plugin as plugin\n"
        "plugin.ComponentInfo, plugin.Dataset, plugin.IndexEngine, plugin.LossGroup\n"
        "print('torch' in sys.modules); plugin.HashLoss; print('torch' in sys.modules)"
    )
    words = [sys.executable, "-c", program]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert printed.split() == ["False", "True"]


def test_every_public_name_can_be_imported_and_is_listed() -> None:
    names = hashbench.plugin.__all__
    assert [name for name in names if getattr(hashbench.plugin, name, None) is None] == []
    assert names == sorted(names, key=lambda name: (name.islower(), name)) == dir(hashbench.plugin)


def test_the_type_checker_sees_every_public_name() -> None:
    tree = ast.parse(Path(hashbench.plugin.__file__).read_text())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("hashbench.")
        for alias in node.names
    }
    assert imported == set(hashbench.plugin.__all__)


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"hashbench\.plugin' has no attribute 'Secret'"):
        _ = hashbench.plugin.Secret


@pytest.mark.parametrize("module", EARLIER)
def test_an_earlier_module_has_its_names_and_warns_with_the_place_it_has_now(module: str) -> None:
    sys.modules.pop(module, None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = import_module(module)
    assert [name for name in EARLIER[module].split() if not hasattr(found, name)] == []
    (warned,) = [w for w in caught if str(w.message).startswith(f"{module} is now ")]
    assert warned.category is DeprecationWarning
    now = import_module(str(warned.message).split(";")[0].removeprefix(f"{module} is now "))
    assert "hashbench.plugin" in str(warned.message)
    assert getattr(found, EARLIER[module].split()[0]) in vars(now).values()


@pytest.mark.filterwarnings("ignore:hashbench:DeprecationWarning")
def test_an_entry_point_that_names_an_earlier_module_gives_the_component_and_its_file() -> None:
    entry = Entry(Kind.DATASET, "theirs", "hashbench.datasets.digits:Digits", "theirs 1.0")
    now = import_module("hashbench.datasets.sources.digits")
    assert entry.source() == Path(str(now.__file__))
    assert entry.load() is now.Digits
    assert entry.source() == Path(str(now.__file__))
    assert entry.summary()


def test_a_program_at_its_earlier_place_runs() -> None:
    words = [sys.executable, "-m", "hashbench.datasets.seal"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "usage: python -m hashbench.datasets" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["hashbench.methods.never", "hashbench.shards.never"])
def test_a_module_that_never_was_is_missing_as_ever(name: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=name.replace(".", r"\.")):
        import_module(name)
    with pytest.raises(ConfigError, match="no such module"):
        Entry(Kind.LOSS, "x", f"{name}:X", "here").source()
