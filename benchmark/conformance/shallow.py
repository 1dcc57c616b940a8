"""Conformance of methods that are not a backbone with a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hashbench.conformance.findings import CARD_CHECK, Checks, Finding, examine, expect
from hashbench.conformance.tiny import TinyImages, single_labels
from hashbench.core.cell import Cell, Component, DataChoice
from hashbench.core.codes import Codes, Embeddings, Role
from hashbench.core.params import BaseParams
from hashbench.methods.building_blocks.features import PixelFeatures
from hashbench.methods.interface import FitReport, Method, TrainContext, TrainView
from hashbench.training.determinism import seed_everything

_BITS, _IMAGES, _SIZE = 8, 40, 6
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class MethodBench:
    """A method's class with its parameters, and a training set."""

    cls: type[Method]
    params: BaseParams

    @cached_property
    def labels(self) -> Tensor:
        """One label an image, float32 (40, 4)."""
        return single_labels(_IMAGES)

    @property
    def bits(self) -> int | None:
        """The code length; None for embeddings."""
        return _BITS if self.cls.binary else None

    def images(self, positions: slice = slice(None)) -> TinyImages:
        """The training images, or some of them."""
        whole = TinyImages(single_labels(_IMAGES), size=_SIZE, device=_CPU)
        return whole.part(positions)

    def fit(self) -> tuple[Method, FitReport]:
        """Build a method as the harness does, on pixels, and fit it."""
        seed_everything(0)
        # `Method` leaves the constructor open; the harness calls all but deep methods like this.
        build: Callable[..., Method] = self.cls
        method = build(self.params, bits=self.bits, features=PixelFeatures())
        choice = DataChoice("conformance", 1, "conformance@1", "0" * 64, image_size=_SIZE)
        component = Component("method", 1, self.params.model_dump(mode="json"))
        cell = Cell(choice, bits=self.bits, seed=0, method=component)
        view = TrainView(self.images(), self.labels, multilabel=False)
        return method, method.fit(view, TrainContext(cell, _CPU))

    @cached_property
    def fitted(self) -> Method:
        """A fitted method, for encoding only."""
        return self.fit()[0]


CHECKS = Checks[MethodBench]([CARD_CHECK])


def check_method(cls: type[Method], params: BaseParams | None = None) -> list[Finding]:
    """Check a shallow method on the pixels of tiny images.

    Args:
        cls: The method's class, built as ``cls(params, bits=..., features=...)``.
        params: Its parameters; its defaults if None.

    Returns:
        One finding a check.
    """
    return examine(CHECKS, MethodBench(cls, params or cls.Params()))


@CHECKS.add(
    "encodes every image",
    fix="encode returns Codes.from_outputs(outputs (N, bits)), or Embeddings where binary is False",
)
def _encodes(bench: MethodBench) -> str:
    encoded = bench.fitted.encode(bench.images(), Role.DATABASE)
    wanted = Codes if bench.cls.binary else Embeddings
    expect(isinstance(encoded, wanted), f"encode returns {type(encoded).__name__}")
    expect(len(encoded) == _IMAGES, f"{len(encoded)} rows for {_IMAGES} images")
    if isinstance(encoded, Embeddings):
        return f"embeddings {encoded.values.shape}"
    expect(encoded.bits == _BITS, f"codes of {encoded.bits} bits, not {_BITS}")
    different = len(np.unique(encoded.packed, axis=0))
    expect(different > 1, "all images have one code")
    return f"{_IMAGES} codes of {_BITS} bits, {different} different ones"


@CHECKS.add(
    "deterministic under a seed",
    fix="draw from a generator seeded by derive_seed(ctx.cell.seed, Purpose.METHOD)",
)
def _repeats(bench: MethodBench) -> str:
    one, other = (bench.fit()[0].encode(bench.images(), Role.QUERY) for _ in range(2))
    expect(np.array_equal(_rows(one), _rows(other)), "two fits with one seed encode differently")
    return "two fits with one seed encode equally in every bit"


@CHECKS.add(
    "encodes an image by itself",
    fix="encode uses nothing but what fit learned: no mean and no order of the images given",
)
def _in_order(bench: MethodBench) -> str:
    whole = _rows(bench.fitted.encode(bench.images(), Role.DATABASE))
    for positions in (slice(0, 1), slice(5, 12)):
        part = _rows(bench.fitted.encode(bench.images(positions), Role.DATABASE))
        same = np.allclose(part, whole[positions], rtol=1e-5)
        expect(same, "some images get another code alone than among all images")
    return "one image, and seven, are encoded as among all"


@CHECKS.add("labels are left alone", fix="copy labels before you change them")
def _labels(bench: MethodBench) -> str:
    kept = bench.labels.clone()
    bench.fit()
    expect(torch.equal(kept, bench.labels), "the labels were changed in place")
    return f"({_IMAGES}, {kept.shape[1]}) as they were after fit"


@CHECKS.add(
    "reports its fit",
    fix="fit returns FitReport(phases={...}); database_codes() one code a training image, or None",
)
def _reports(bench: MethodBench) -> str:
    method, report = bench.fit()
    expect(bool(report.phases), "fit reports no phase")
    learned = method.database_codes()
    count = None if learned is None else (len(learned), learned.bits)
    expect(count in (None, (_IMAGES, _BITS)), f"database_codes() returns {count}")
    return f"phases {', '.join(report.phases)}; {report.parameters:,} numbers"


def _rows(encoded: Codes | Embeddings) -> NDArray[Any]:
    return encoded.packed if isinstance(encoded, Codes) else encoded.values
