"""Every mistake in a matrix is one line at its place, and all come at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from hashbench.core.errors import ConfigError
from hashbench.core.registry import Registry
from hashbench.matrix.load import load_matrix

Write = Callable[[str], Path]

BLOCKS = {
    "version": "1",
    "name": "test",
    "datasets": "[digits]",
    "methods": "{pairs: [{method: lsh}]}",
    "bits": "16",
}


@pytest.fixture
def problems(write: Write, components: Registry) -> Callable[..., list[str]]:
    """The problems of a small valid matrix with some blocks replaced, without the file's name."""

    def find(**blocks: str) -> list[str]:
        lines = {**BLOCKS, **blocks}
        file = write("".join(f"{key}: {text}\n" for key, text in lines.items()))
        with pytest.raises(ConfigError) as caught:
            load_matrix(file, components)
        return [problem.removeprefix(f"{file}:") for problem in caught.value.problems]

    return find


CASES = {
    "version": [
        ("2", "1:1: version: should be 1, got 2"),
        ("'1'", "1:1: version: should be 1, got '1'"),
    ],
    "name": [
        ("-x", "name: string should match pattern"),
        ("[x]", "name: should be a valid string"),
    ],
    "datasets": [
        ("[]", "datasets: list should have at least 1 item"),
        ("[digit]", "3:12: datasets.0.name: unknown name 'digit' in datasets. Did you mean 'd"),
        ("[7]", "datasets.0: should be a valid dictionary"),
        ("{name: digits, protocl: x}", "unknown key. Did you mean 'protocol'?"),
        ("{name: digits, protocol: digits@9}", "unknown protocol 'digits@9'. Did you mean 'digits"),
        (
            "{name: digits, protocol: fashion-mnist@1}",
            "protocol: 'fashion-mnist@1' is a protocol of 'fashion_mnist', not of 'digits'",
        ),
        ("{name: digits, subset: {train: 501}}", "subset.train: 501 is more than the 500 of digi"),
        ("{name: digits, subset: {query: 0}}", "query: should be greater than or equal to 1, got"),
        ("{name: digits, subset: {test: 1}}", "3:35: datasets.subset.test: unknown key. Known"),
        ("{protocol: digits@1}", "datasets.name: is missing"),
        ("imported/*", "datasets.name: 'imported/*' stands for many names; give one of them"),
        ("folder", "datasets.name: 'folder' is no dataset but a form that images of your own come"),
        ("[digits, csv]", "datasets.1.name: 'csv' is no dataset but a form that images of your"),
    ],
    "methods": [
        ("{}", "methods: names no method; give grid, pairs, baselines, or several of them"),
        ("{baselines: []}", "methods: names no method"),
        ("{baselines: [pixels, vti]}", "methods.baselines.1.name: unknown name 'vti' in backbones"),
        ("{pairs: [{method: lhs}]}", "unknown name 'lhs' in methods. Did you mean 'lsh'?"),
        ("{pairs: [{backbone: vit}]}", "a pair is either {backbone, loss}, or {method}"),
        ("{pairs: [{method: lsh, loss: hsc}]}", "a pair is either"),
        ("{pairs: [{backbone: vit, loss: hsc, features: vit}]}", "a pair is either"),
        ("{grid: {backbones: vit}}", "methods.grid.losses: is missing"),
        ("{grid: {backbones: [], losses: hsc}}", "backbones: list should have at least 1 item"),
        ("{grid: {backbones: vti, losses: hsc}}", "unknown name 'vti' in backbones. Did you mea"),
        ("{grid: {backbones: vit, losses: hcs}}", "unknown name 'hcs' in losses. Did you mean 'h"),
        ("{grid: {backbones: vit, loses: hsc, losses: dsh}}", "Did you mean 'losses'?"),
        ("{pairs: [{method: {name: lsh, params: {center: no}}}]}", "Did you mean 'centre'?"),
        ("{pairs: [{method: {name: lsh, params: {centre: 1}}}]}", "lsh: should be a valid bool"),
        (
            "{pairs: [{backbone: vit, loss: {name: dpn, preset: papr}}]}",
            "loss.preset: dpn: unknown preset 'papr'.",
        ),
        (
            "{pairs: [{backbone: vit, loss: {name: hsc, last_layer: bm}}]}",
            "last_layer: unknown name 'bm'. Known: bn, linear, linear_uniform, ln_tanh.",
        ),
        (
            "{pairs: [{backbone: {name: vit, neck: pole}, loss: hsc}]}",
            "backbone.neck: unknown name 'pole'. Did you mean 'pool'?",
        ),
        (
            "{pairs: [{method: lsh, features: {name: vit, weights: gone.pt}}]}",
            "features.weights: no such file: ",
        ),
        (
            "{pairs: [{method: lsh, features: {name: vit, image_size: 0}}]}",
            "image_size: should be greater",
        ),
        (
            "{pairs: [{method: lsh, features: {name: vit, normalisation: none}}]}",
            "normalisation: should be 'protocol', 'imagenet', 'half', 'clip' or 'unit', got 'none'",
        ),
    ],
    "bits": [
        ("0", "5:1: bits: should be greater than or equal to 1, got 0"),
        ("[16, -1]", "5:12: bits.1: should be greater than or equal to 1, got -1"),
        ("1025", "5:1: bits: should be less than or equal to 1024, got 1025"),
        ("many", "bits: should be a valid integer, got 'many'"),
        ("16.0", "bits: should be a valid integer, got 16.0"),
        ("'16'", "bits: should be a valid integer, got '16'"),
        ("true", "bits: should be a valid integer, got True"),
        ("[]", "bits: list should have at least 1 item"),
        ("", "bits: should be a valid list, got None"),
    ],
    "seeds": [("-1", "seeds: should be greater than or equal to 0"), ("[]", "at least 1 item")],
    "train": [
        ("{recipe: our}", "train.recipe: unknown name 'our'. Did you mean 'ours'?"),
        ("{epochs: 0}", "train.epochs: should be greater than or equal to 1, got 0"),
        ("{batch: 3}", "train.batch: unknown key. Did you mean 'batch_size'?"),
        ("{optimiser: adm}", "should be 'adam', 'adamw', 'sgd' or 'rmsprop', got 'adm'"),
        ("{lr: fast}", "train.lr: should be a valid number, got 'fast'"),
        ("{lr: -1}", "train.lr: should be greater than or equal to 0, got -1"),
        ("{lr: .nan}", "train.lr: should be"),
        ("{lr: true}", "train.lr: should be a valid number, got True"),
        ("{nesterov: 1}", "train.nesterov: should be a valid boolean, got 1"),
        ("{augmentation: flp}", "train.augmentation: should be 'none', 'flip', 'crop_flip'"),
        ("{schedule: {kind: linear}}", "should be 'constant', 'cosine' or 'step', got 'linear'"),
        ("{schedule: {kind: cosine}}", "cosine and step take a factor, constant takes none"),
        ("{schedule: {kind: constant, factor: 1.0}}", "constant takes none"),
        ("{schedule: {kind: step, factor: 0.1}}", "step takes milestones"),
        ("{schedule: {kind: step, factor: 0.1, milestones: [0.5, 0.5]}}", "milestones must rise"),
        ("{schedule: {kind: step, factor: 0.1, milestones: [30]}}", "should be less than 1"),
        ("{validation: {fraction: 1}}", "train.validation.fraction: should be less than 1, got 1"),
        ("{validation: {}}", "train.validation.fraction: is missing"),
        ("{prepass: pixel}", "should be 'weights', 'random' or 'pixels', got 'pixel'"),
        ("{backbone: frosen}", "train.backbone: should be 'tuned' or 'frozen', got 'frosen'"),
        ("{precision: fp16}", "train.precision: should be 'fp32', 'tf32' or 'bf16', got 'fp16'"),
        ("{determinism: none}", "train.determinism: should be 'strict' or 'fast', got 'none'"),
    ],
    "evaluate": [
        ("{metrics: mpa}", "unknown metric 'mpa'. Did you mean 'map'?"),
        ("{metrics: ndgc}", "unknown metric 'ndgc'. Did you mean 'ndcg'?"),
        ("{metrics: [wap/ties=best]}", "bounds over ties are not computed for wap; write ties="),
        ("{metrics: [map@0]}", "evaluate.metrics.0: metric 'map@0': K must be at least 1, got 0"),
        ("{metrics: [3]}", "evaluate.metrics.0: should be a valid string, got 3"),
        ("{cutoffs: [0]}", "6:22: evaluate.cutoffs.0: K must be at least 1, got 0"),
        ("{cutoffs: -5}", "evaluate.cutoffs: K must be at least 1, got -5"),
        ("{cutoffs: [all, many]}", "cutoffs.1: K must be a whole number of at least 1 or 'all'"),
        ("{cutoffs: [1.5]}", "evaluate.cutoffs.0: K must be a whole number"),
        ("{cutoffs: [true]}", "evaluate.cutoffs.0: K must be a whole number"),
        ("{cutoffs: []}", "evaluate.cutoffs: list should have at least 1 item"),
        ("{radius: -1}", "evaluate.radius: should be greater than or equal to 0, got -1"),
        ("{every: -1}", "evaluate.every: should be greater than or equal to 0, got -1"),
    ],
    "latency": [
        ("{engine: exact}", "latency: should be a valid list"),
        ("[{engine: exakt}]", "latency.0.engine: unknown name 'exakt' in engines. Did you mean"),
        ("[{k: 3}]", "latency.0.engine: is missing"),
        ("[{engine: exact, k: 0}]", "latency.0.k: should be greater than or equal to 1, got 0"),
        ("[{engine: exact, k: []}]", "latency.0.k: list should have at least 1 item"),
        ("[{engine: exact, samples: 0}]", "latency.0.samples: should be greater than or equal"),
        ("[{engine: exact, seconds: 0s}]", "latency.0.seconds: should be greater than 0"),
        (
            "[{engine: exact, params: {nprobe: 2}}]",
            "latency.0.params.nprobe: exact: unknown parameter. None are known.",
        ),
        (
            "[{engine: faiss_ivf, params: {nprob: 2}}]",
            "latency.0.params.nprob: faiss_ivf: unknown parameter. Did you mean 'nprobe'?",
        ),
        (
            "[{engine: faiss_hnsw, params: {M: 1}}]",
            "latency.0.params.M: faiss_hnsw: should be greater than or equal to 2, got 1",
        ),
        ("[{engine: exact, batches: [0]}]", "latency.0.batches.0: should be greater than or equ"),
    ],
    "execute": [
        ("{backend: sge}", "execute.backend: should be 'local', 'slurm' or 'ray', got 'sge'"),
        ("{keep_model: 3}", "execute.keep_model: should be a valid boolean"),
        ("{device: gpu}", "execute.device: should be 'auto', 'cpu' or 'cuda', got 'gpu'"),
        ("{threads: 0}", "execute.threads: should be 'auto' or a whole number above 0, got 0"),
        ("{threads: all}", "execute.threads: should be 'auto' or a whole number above 0, got 'a"),
        ("{timeout: 0s}", "execute.timeout: should be greater than 0"),
        ("{timeout: 5 days}", "should be seconds, or a number with s, m or h, got '5 days'"),
        ("{data_root: gone}", "execute.data_root: no such folder: "),
    ],
    "exclude": [
        ("[{dataset: digits}]", "exclude.0.because: is missing"),
        ("[{because: x}]", "exclude.0: selects nothing; give one of dataset, protocol"),
        ("[{dataset: digits, because: ''}]", "exclude.0.because: string should have at least 1"),
        ("[{datasets: digits, because: x}]", "Did you mean 'dataset'?"),
    ],
    "overrides": [
        ("[{where: {}, train: {lr: 1}}]", "overrides.0.where: selects nothing"),
        ("[{where: {bits: 16}}]", "overrides.0: changes nothing; give train, execute, or both"),
        ("[{where: {bits: 16}, train: {l: 1}}]", "overrides.0.train.l: unknown key. Did you"),
        ("[{where: {bits: x}, train: {}}]", "where.bits: should be a valid integer, got 'x'"),
    ],
    "plugins": [
        ("mine.py", "plugins: should be a valid list, got 'mine.py'"),
        ("[gone.py]", "6:11: plugins.0: plugin "),
    ],
    "trian": [("{}", "6:1: trian: unknown key. Did you mean 'train'?")],
}


@pytest.mark.parametrize(
    ("block", "text", "problem"),
    [(block, text, problem) for block, cases in CASES.items() for text, problem in cases],
)
def test_a_mistake_is_one_line_with_its_place_and_what_would_be_right(
    block: str, text: str, problem: str, problems: Callable[..., list[str]]
) -> None:
    found = problems(**{block: text})
    assert len(found) == 1
    assert problem in found[0]
    assert "\n" not in found[0]


def test_all_mistakes_come_at_once(problems: Callable[..., list[str]]) -> None:
    found = problems(
        datasets="[digit, {name: digits, subset: {train: 9999}}]",
        methods="{grid: {backbones: vit, losses: [hcs, {name: hsc, "
        "params: {tau: 1, contrastive: x}}]}}",
        bits="[0, 16]",
        train="{recipe: our, lr: 1e-4}",
        evaluate="{cutoffs: [0, all]}",
        latency="[{engine: exakt}]",
        trian="{}",
    )
    assert [problem.split(": ")[1] for problem in found] == [
        "datasets.0.name",
        "datasets.1.subset.train",
        "methods.grid.losses.0.name",
        "methods.grid.losses.1.params.contrastive",
        "methods.grid.losses.1.params.tau",
        "bits.0",
        "train.recipe",
        "evaluate.cutoffs.0",
        "latency.0.engine",
        "trian",
    ]


def test_duplicate_keys_come_with_the_other_mistakes(write: Write, components: Registry) -> None:
    text = "".join(f"{key}: {value}\n" for key, value in BLOCKS.items())
    file = write(f"{text}bits: 32\ntrian: 1\n")
    with pytest.raises(ConfigError) as caught:
        load_matrix(file, components)
    assert list(caught.value.problems) == [
        f"{file}:6:1: bits: duplicate key, first given in line 5. Remove one of the two",
        f"{file}:7:1: trian: unknown key. Did you mean 'train'?",
    ]


@pytest.mark.parametrize(("text", "kind"), [("", "empty"), ("- a\n", "a list"), ("word", "a str")])
def test_a_file_that_is_no_mapping_says_what_a_matrix_is(
    text: str, kind: str, write: Write, components: Registry
) -> None:
    with pytest.raises(ConfigError, match=f"is {kind}, a matrix is a mapping"):
        load_matrix(write(text), components)


def test_an_empty_mapping_lacks_every_required_block(write: Write, components: Registry) -> None:
    with pytest.raises(ConfigError) as caught:
        load_matrix(write("{}"), components)
    keys = [problem.split(": ")[1] for problem in caught.value.problems]
    assert keys == ["version", "name", "datasets", "methods", "bits"]


def test_a_cut_off_above_the_database_is_allowed(write: Write, components: Registry) -> None:
    blocks = {**BLOCKS, "evaluate": "{cutoffs: [1000000]}"}
    file = write("".join(f"{key}: {text}\n" for key, text in blocks.items()))
    assert load_matrix(file, components).spec.evaluate.cutoffs == [1_000_000]


def test_a_mistake_behind_an_alias_is_told_once(problems: Callable[..., list[str]]) -> None:
    pairs = "{pairs: [{method: &it {name: lsj}}, {method: *it}, {method: *it}]}"
    (found,) = problems(methods=pairs)
    assert found.startswith("4:")
    assert "methods.pairs.0.method.name: unknown name 'lsj'" in found
