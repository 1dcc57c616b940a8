"""Pretrained weights: a state dict from a file, or downloaded by its tag."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import torch
from torch import Tensor

from hashbench.core.errors import DataError

_SAFETENSORS_LENGTH_BYTES: Final = 8
_WRAPPERS: Final = ("state_dict", "model")
_HUB_FILE: Final = "model.safetensors"
_CONNECT_SECONDS: Final = 10.0


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Read a state dict from a safetensors file or a torch file, told apart by their content.

    A torch file is read with ``weights_only=True``, so no code in it runs. A state dict
    wrapped as ``{"state_dict": ...}`` or ``{"model": ...}`` is unwrapped. The tensors are on the
    CPU, in the file's dtypes.

    Raises:
        DataError: If the file is missing, corrupt, or holds something else.
    """
    if not path.is_file():
        raise DataError(f"weights {path}: no such file")
    state: Any = _read_safetensors(path) if _is_safetensors(path) else _read_torch(path)
    for key in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping) or not state:
        raise DataError(f"weights {path}: not a state dict; save model.state_dict() and use that")
    strange = [str(key) for key, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise DataError(
            f"weights {path}: not a state dict: '{strange[0]}' is no tensor; "
            f"save model.state_dict() and use that"
        )
    return {str(key): value for key, value in state.items()}


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(_SAFETENSORS_LENGTH_BYTES + 1)
    return start[_SAFETENSORS_LENGTH_BYTES:] == b"{"


def _read_safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, ValueError, OSError) as error:
        raise DataError(f"weights {path}: corrupt safetensors file: {_first_line(error)}") from None


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError):
        raise DataError(
            f"weights {path}: neither a safetensors file nor a state dict that torch can read "
            f"without running code from it; the file is corrupt or of another kind"
        ) from None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def fetch(tag: str) -> dict[str, Tensor]:
    """Download a published state dict, or take it from the library's cache.

    Args:
        tag: ``timm/NAME`` (e.g. ``timm/resnet18.a1_in1k``) or ``torchvision/NAME`` (e.g.
            ``torchvision/alexnet`` or ``torchvision/resnet18.IMAGENET1K_V1``).

    Returns:
        Tensors by name, on the CPU.

    Raises:
        DataError: If the tag is malformed, nothing is published under it, or there is no network.
    """
    library, _, name = tag.partition("/")
    if library == "timm" and name:
        return _fetch_timm(tag, name)
    if library == "torchvision" and name:
        return _fetch_torchvision(tag, name)
    raise DataError(
        f"weights {tag}: not a tag; write timm/NAME or torchvision/NAME, or a file: weights: PATH"
    )


def _unreachable(tag: str, error: Exception) -> DataError:
    return DataError(
        f"weights {tag}: cannot be downloaded ({_first_line(error)}); "
        f"give a file instead, weights: PATH"
    )


def _unpublished(tag: str, library: str) -> DataError:
    return DataError(f"weights {tag}: {library} publishes no weights under this name")


def _fetch_timm(tag: str, name: str) -> dict[str, Tensor]:
    import timm
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        config = timm.get_pretrained_cfg(name) if timm.is_model(name) else None
    except RuntimeError:  # the architecture exists, the part after the dot does not
        config = None
    if config is None or not config.hf_hub_id:
        raise _unpublished(tag, "timm")
    repository, filename = config.hf_hub_id, config.hf_hub_filename or _HUB_FILE
    try:
        file = hf_hub_download(repository, filename, local_files_only=True)
    except LocalEntryNotFoundError:
        file = _download_from_hub(tag, repository, filename)
    return read_state_dict(Path(file))


def _download_from_hub(tag: str, repository: str, filename: str) -> str:
    from huggingface_hub import constants, hf_hub_download

    try:
        _connect(constants.ENDPOINT)
        return hf_hub_download(repository, filename, endpoint=constants.ENDPOINT)
    except OSError as error:  # the hub's own errors are OSErrors too
        raise _unreachable(tag, error) from None


def _connect(endpoint: str) -> None:
    """Fail at once where there is no network: the hub's own client retries for 20 seconds."""
    from urllib.request import getproxies

    url = urlsplit(endpoint)
    proxy = getproxies().get(url.scheme)
    target = urlsplit(proxy) if proxy else url
    port = target.port or (443 if target.scheme == "https" else 80)
    socket.create_connection((target.hostname or "", port), timeout=_CONNECT_SECONDS).close()


def _fetch_torchvision(tag: str, name: str) -> dict[str, Tensor]:
    from torchvision.models import get_model_weights

    model, _, member = name.partition(".")
    try:
        published = get_model_weights(model)
        weights = published[member] if member else published.DEFAULT
    except (ValueError, KeyError, AttributeError):
        raise _unpublished(tag, "torchvision") from None
    try:
        state: Mapping[str, Tensor] = weights.get_state_dict(progress=False, check_hash=True)
    except (OSError, RuntimeError) as error:
        raise _unreachable(tag, error) from None
    return dict(state)
