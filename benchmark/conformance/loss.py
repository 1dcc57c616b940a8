"""What the harness counts on in a hashing loss."""

from __future__ import annotations

import torch
from torch import Tensor

from hashbench.conformance.card import CARD, FIX_CARD, check_card
from hashbench.conformance.findings import Check, Finding, examine, expect
from hashbench.conformance.loss_bench import BATCH, LossBench, Step
from hashbench.conformance.loss_state import STATE_CHECKS
from hashbench.conformance.tiny import multi_labels, single_labels
from hashbench.conformance.training import BITS, resumed_equals_unbroken
from hashbench.core.info import LabelKind
from hashbench.core.params import BaseParams
from hashbench.methods.interface import HashLoss

_LARGE = 1e4
_ALONE = 12  # images, each with a class of its own


def check_loss(cls: type[HashLoss], params: BaseParams | None = None) -> list[Finding]:
    """Look at a hashing loss on tiny data, on the CPU and, if there is one, on a CUDA device.

    Args:
        cls: The loss's class.
        params: Its parameters; its defaults if None.

    Returns:
        One finding a check.
    """
    return examine(CHECKS, LossBench(cls, cls.Params() if params is None else params))


def _card(bench: LossBench) -> str:
    return check_card(bench.cls)


def _terms(bench: LossBench) -> str:
    step = bench.set_up().step()
    terms, weights = step.terms.terms, step.terms.weights
    expect(bool(terms), "no term at all")
    for name, term in terms.items():
        expect(term.ndim == 0, f"term '{name}' has the shape {tuple(term.shape)}, not ()")
        expect(bool(torch.isfinite(term)), f"term '{name}' is {float(term)}")
    expect("total" not in terms, "a term is called 'total', which the history keeps for the sum")
    unknown = sorted(set(weights) - set(terms))
    expect(not unknown, f"weights of terms that are not there: {', '.join(unknown)}")
    weighted = (
        f"{name} {float(term):.4g}" + (f" (weight {weights[name]:.4g})" if name in weights else "")
        for name, term in terms.items()
    )
    return f"total {float(step.total):.4g}: {', '.join(weighted)}"


def _gradient(bench: LossBench) -> str:
    step = bench.set_up().step()
    expect(step.gradient is not None, "no gradient at the outputs")
    assert step.gradient is not None  # noqa: S101 - for the type checker: seen just above
    _finite(step, "an ordinary batch")
    norm = float(step.gradient.norm())
    expect(norm > 0, "the gradient at the outputs is zero everywhere")
    return f"shape {tuple(step.gradient.shape)}, norm {norm:.4g}"


def _labels(bench: LossBench) -> str:
    prepared = bench.set_up()
    step = prepared.step()
    prepared.loss.after_step()
    prepared.end_epoch()
    batch = bench.labels[step.batch.indices]
    expect(torch.equal(step.batch.labels, batch), "the batch's labels were changed in place")
    expect(torch.equal(prepared.ctx.labels, bench.labels), "the context's labels were changed")
    return f"({BATCH}, {batch.shape[1]}) as they were after setup, a step and the epoch's end"


def _indices(bench: LossBench) -> str:
    prepared = bench.set_up()
    positions, count = prepared.positions, len(bench.labels)
    expect(positions.dtype == torch.int64, f"epoch_indices gives {positions.dtype}, not int64")
    expect(positions.ndim == 1 and len(positions) > 0, "epoch_indices gives no position")
    inside = int(positions.min()) >= 0 and int(positions.max()) < count
    expect(inside, f"epoch_indices gives a position outside 0..{count - 1}")
    return f"{len(positions)} of {count} training positions in the first epoch"


def _repeatable(bench: LossBench) -> str:
    one, other = (bench.set_up(seed=5).step() for _ in range(2))
    for name, term in one.terms.terms.items():
        expect(torch.equal(term, other.terms.terms[name]), f"term '{name}' differs")
    expect(_equal(one.gradient, other.gradient), "the gradient at the outputs differs")
    return "terms and gradient equal in every bit when set up twice with one seed"


def _one_sided(bench: LossBench) -> str:
    sets = {"all images of one class": single_labels(1).repeat(BATCH, 1)}
    sets["each image a class of its own"] = torch.eye(_ALONE)
    if LabelKind.MULTI in bench.cls.info.labels:
        sets["no image with a label"] = torch.zeros(BATCH, 4)
        sets["every image with every label"] = torch.ones(BATCH, 4)
    for name, labels in sets.items():
        _finite(bench.set_up(labels).step(), name)
    return f"finite with {', '.join(sets)}"


def _single_image(bench: LossBench) -> str:
    _finite(bench.set_up().step(count=1), "a batch of one")
    return "finite"


def _extremes(bench: LossBench) -> str:
    signs = torch.sign(torch.randn((BATCH, BITS), generator=torch.Generator().manual_seed(0)))
    outputs: dict[str, Tensor] = {
        f"+-{_LARGE:g}": _LARGE * signs,
        "all equal": torch.full((BATCH, BITS), 0.3),
        "all zero": torch.zeros(BATCH, BITS),
        "1e-30": 1e-30 * signs,
        "exactly +-1": signs,
    }
    for name, values in outputs.items():
        prepared = bench.set_up()
        _finite(prepared.step(values[: len(prepared.positions)]), f"outputs {name}")
    return f"finite with outputs {', '.join(outputs)}"


def _label_kinds(bench: LossBench) -> str:
    accepted = bench.cls.info.labels
    expect(bool(accepted), "info.labels is empty: no dataset fits")
    sets = {LabelKind.SINGLE: single_labels(48), LabelKind.MULTI: multi_labels(48)}
    for kind in sorted(accepted):
        _finite(bench.set_up(sets[kind]).step(), f"{kind} data")
    refused = sorted(set(LabelKind) - set(accepted))
    told = f"; a matrix that pairs it with {refused[0]} data is refused" if refused else ""
    return f"finite on {' and '.join(sorted(accepted))} data{told}"


def _hooks(bench: LossBench) -> str:
    prepared = bench.set_up()
    prepared.step()
    prepared.loss.after_step()
    prepared.end_epoch()
    learned = prepared.loss.database_codes()
    if learned is None:
        return "the epoch ends; no learned database codes"
    count, found = len(bench.labels), f"{len(learned)} of {learned.bits} bits"
    expect((len(learned), learned.bits) == (count, BITS), f"database_codes() gives {found}")
    return f"the epoch ends; learned database codes: {found}"


def _resumes(bench: LossBench) -> str:
    return resumed_equals_unbroken(bench.trial)


def _finite(step: Step, where: str) -> None:
    for name, term in step.terms.terms.items():
        expect(bool(torch.isfinite(term)), f"{where}: term '{name}' is {float(term)}")
    finite = step.gradient is None or bool(torch.isfinite(step.gradient).all())
    expect(finite, f"{where}: the gradient at the outputs is not finite")


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)


CHECKS: tuple[Check[LossBench], ...] = (
    Check(CARD, _card, FIX_CARD),
    Check(
        "named terms are finite scalars",
        _terms,
        "reduce each term to a scalar (.mean()), and weigh only terms that are there",
    ),
    Check(
        "gradient reaches the outputs",
        _gradient,
        "build the terms from batch.outputs by differentiable operations (no .detach(), no "
        "sign() without a straight-through gradient)",
    ),
    Check(
        "labels are left alone",
        _labels,
        "copy labels before you change them (labels.clone()); no in-place operation on them",
    ),
    Check(
        "training positions",
        _indices,
        "epoch_indices gives an int64 tensor of positions in the training set, or None for all",
    ),
    Check(
        "deterministic under a seed",
        _repeatable,
        "draw from ctx.generator or torch's global generator only, never from time or a generator "
        "of your own with no seed",
    ),
    *STATE_CHECKS,
    Check(
        "end of an epoch",
        _hooks,
        "database_codes() gives one code of `bits` bits a training image in training order, or "
        "None",
    ),
    Check(
        "one-sided batches",
        _one_sided,
        "leave a mean over no pair out (primitives.masked_mean gives 0 for it)",
    ),
    Check(
        "a batch of one",
        _single_image,
        "do not divide by the number of other images without clamp_min(1)",
    ),
    Check(
        "extreme outputs",
        _extremes,
        "use stable forms (primitives.softplus, log_cosh, logit_nll, unit_rows) in place of exp, "
        "log and division",
    ),
    Check(
        "label kinds of its info",
        _label_kinds,
        "handle what info.labels names, or take it out: labels=frozenset({LabelKind.SINGLE})",
    ),
    Check(
        "resumed equals unbroken",
        _resumes,
        "keep what lasts longer than an epoch in parameters and buffers (register_buffer), all of "
        "them made in setup in the shape they keep",
    ),
)
