"""Weights from files and tags: what is read, and one clear error for what is not."""

import io
import pickle

import pytest
import torch
from safetensors.torch import save, save_file

from hashbench.core.errors import DataError
from hashbench.methods.weights import fetch, read_state_dict

STATE = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float16)}
CLOSED_PORT = "http://127.0.0.1:9"


def assert_state(state):
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[key], STATE[key]) for key in STATE)
    assert state["b"].dtype == torch.float16


@pytest.mark.parametrize("suffix", ["safetensors", "bin", "pt"])
def test_safetensors_are_known_by_their_content(suffix, tmp_path):
    save_file(STATE, tmp_path / f"weights.{suffix}")
    assert_state(read_state_dict(tmp_path / f"weights.{suffix}"))


@pytest.mark.parametrize("wrap", [None, "state_dict", "model"])
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_files_are_read_and_unwrapped(wrap, zipped, tmp_path):
    content = STATE if wrap is None else {wrap: STATE, "epoch": 3}
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert_state(read_state_dict(tmp_path / "weights.pth"))


def test_missing_file_and_folder_are_named(tmp_path):
    for path in (tmp_path / "nothing.pt", tmp_path):
        with pytest.raises(DataError, match=f"weights {path}: no such file"):
            read_state_dict(path)


class Executed:
    def __reduce__(self):
        return (print, ("code ran",))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"PK\x03\x04 half a zip file", pickle.dumps({"a": Executed()}, protocol=2)],
    ids=["empty", "text", "torn", "code"],
)
def test_anything_else_is_refused_in_one_line(content, tmp_path, capsys):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"weights {path}: neither a safetensors file") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


def test_torn_safetensors_are_refused_as_such(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save(STATE)[:-4])
    with pytest.raises(DataError, match=f"weights {path}: corrupt safetensors file"):
        read_state_dict(path)


@pytest.mark.parametrize("content", [torch.ones(3), {"epoch": 3}, {}, [1, 2]])
def test_torch_file_without_a_state_dict_is_refused(content, tmp_path):
    path, buffer = tmp_path / "weights.pt", io.BytesIO()
    torch.save(content, buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(DataError, match=r"not a state dict.*save model\.state_dict\(\)"):
        read_state_dict(path)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """A machine whose every way out is a closed port, and whose caches are empty."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", CLOSED_PORT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, CLOSED_PORT)


@pytest.mark.parametrize(
    "tag", ["timm/vit_tiny_patch16_224", "timm/resnet18.a1_in1k", "torchvision/alexnet"]
)
def test_without_network_the_error_names_the_tag_and_the_remedy(tag, offline):
    with pytest.raises(DataError, match=f"^weights {tag}: cannot be downloaded") as caught:
        fetch(tag)
    assert str(caught.value).endswith("give a file instead, weights: PATH")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("tag", "problem"),
    [
        ("timm/resnet1888", "timm publishes no weights under this name"),
        ("timm/resnet18.not_a_tag", "timm publishes no weights under this name"),
        ("torchvision/resnet1888", "torchvision publishes no weights under this name"),
        ("torchvision/resnet18.NOT_A_TAG", "torchvision publishes no weights under this name"),
        ("timm/", "not a tag; write timm/NAME or torchvision/NAME, or a file: weights: PATH"),
        ("huggingface/resnet18", "not a tag"),
    ],
)
def test_tags_that_cannot_exist_are_refused_without_asking_the_network(tag, problem, offline):
    with pytest.raises(DataError, match=f"^weights {tag}: {problem}"):
        fetch(tag)


def test_a_file_in_the_hub_s_cache_is_used_without_network(offline, tmp_path):
    repository = tmp_path / "hub" / "models--timm--resnet18.a1_in1k"
    snapshot = repository / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    save_file(STATE, snapshot / "model.safetensors")
    assert_state(fetch("timm/resnet18.a1_in1k"))
