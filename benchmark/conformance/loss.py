"""Conformance of hashing losses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from hashbench.conformance.device import moves_to_a_device, unregistered
from hashbench.conformance.findings import CARD_CHECK, Checks, Finding, examine, expect
from hashbench.conformance.loss_bench import BATCH, LossBench, Prepared, Step
from hashbench.conformance.tiny import multi_labels, single_labels
from hashbench.conformance.training import BITS, Trial, resumed_equals_unbroken
from hashbench.core.info import LabelKind
from hashbench.core.params import BaseParams
from hashbench.methods.interface import HashLoss
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import seed_everything
from hashbench.training.optimisation import build_optimiser

_LARGE = 1e4
_ALONE = 12  # images, each with a class of its own
_EPOCHS = 12  # of a training in which every parameter has to move

CHECKS = Checks[LossBench]([CARD_CHECK])


def check_loss(cls: type[HashLoss], params: BaseParams | None = None) -> list[Finding]:
    """Check a hashing loss on tiny data, on the CPU and, if there is one, on a CUDA device.

    Args:
        cls: The loss's class.
        params: Its parameters; its defaults if None.

    Returns:
        One finding a check.
    """
    return examine(CHECKS, LossBench(cls, params or cls.Params()))


@CHECKS.add(
    "named terms are finite scalars",
    fix="reduce each term to a scalar (.mean()), and weigh only terms that are there",
)
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


@CHECKS.add(
    "gradient reaches the outputs",
    fix="build the terms from batch.outputs by differentiable operations (no .detach(), no "
    "sign() without a straight-through gradient)",
)
def _gradient(bench: LossBench) -> str:
    step = bench.set_up().step()
    expect(step.gradient is not None, "no gradient at the outputs")
    assert step.gradient is not None  # noqa: S101 - for the type checker: seen just above
    _finite(step, "an ordinary batch")
    norm = float(step.gradient.norm())
    expect(norm > 0, "the gradient at the outputs is zero everywhere")
    return f"shape {tuple(step.gradient.shape)}, norm {norm:.4g}"


@CHECKS.add(
    "labels are left alone",
    fix="copy labels before you change them (labels.clone()); no in-place operation on them",
)
def _labels(bench: LossBench) -> str:
    prepared = bench.set_up()
    step = prepared.step()
    prepared.end_epoch()
    batch = bench.labels[step.batch.indices]
    expect(torch.equal(step.batch.labels, batch), "the batch's labels were changed in place")
    expect(torch.equal(prepared.ctx.labels, bench.labels), "the context's labels were changed")
    return f"({BATCH}, {batch.shape[1]}) as they were after setup, a step and the epoch's end"


@CHECKS.add(
    "training positions",
    fix="epoch_indices returns an int64 tensor of positions in the training set, or None for all",
)
def _indices(bench: LossBench) -> str:
    positions, count = bench.set_up().positions, len(bench.labels)
    expect(positions.dtype == torch.int64, f"epoch_indices returns {positions.dtype}, not int64")
    expect(positions.ndim == 1 and len(positions) > 0, "epoch_indices returns no position")
    inside = int(positions.min()) >= 0 and int(positions.max()) < count
    expect(inside, f"epoch_indices returns a position outside 0..{count - 1}")
    return f"{len(positions)} of {count} training positions in the first epoch"


@CHECKS.add(
    "deterministic under a seed",
    fix="draw from ctx.generator or torch's global generator only, never from time or a generator "
    "of your own with no seed",
)
def _repeatable(bench: LossBench) -> str:
    one, other = (bench.set_up(seed=5).step() for _ in range(2))
    for name, term in one.terms.terms.items():
        expect(torch.equal(term, other.terms.terms[name]), f"term '{name}' differs")
    expect(_equal(one.gradient, other.gradient), "the gradient at the outputs differs")
    return "terms and gradient equal in every bit when set up twice with one seed"


@CHECKS.add(
    "parameters it owns",
    fix="make every nn.Parameter in setup and assign it to self (a list of them: "
    "nn.ParameterList); what is not to learn yet has requires_grad=False",
)
def _owned(bench: LossBench) -> str:
    prepared = bench.set_up()
    loss = prepared.loss
    plain = unregistered(loss, prepared.given)
    learned = {name for name, tensor in plain.items() if tensor.requires_grad}
    expect(not learned, f"no parameter, so in no optimiser: self.{', self.'.join(sorted(learned))}")
    layout = _layout(loss.state_dict())
    trainable = {name: p for name, p in loss.named_parameters() if p.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in trainable.items()}
    if before:
        optimiser = build_optimiser(bench.trial.settings, new=loss.parameters(), backbone=())
        prepared.step()
        optimiser.step()
    still = [name for name, p in trainable.items() if torch.equal(p, before[name])]
    never = _unmoved(bench.trial, still) if still else []
    expect(not never, f"not moved by a step, nor in {_EPOCHS} epochs: {', '.join(never)}")
    prepared.end_epoch()
    changed = sorted({*layout.items()} ^ {*_layout(loss.state_dict()).items()})
    expect(not changed, f"not there since setup in one shape: {', '.join(n for n, _ in changed)}")
    shapes = [
        f"{name} {tuple(p.shape)}" + (" (later)" if name in still else "")
        for name, p in trainable.items()
    ]
    return f"in the optimiser, moved by a step: {', '.join(shapes)}" if shapes else "owns none"


def _unmoved(trial: Trial, names: Iterable[str]) -> list[str]:
    """Return the parameters that a longer training leaves as they were after its first epoch.

    A parameter that waits for the end of a warm-up is not among them.
    """
    longer = replace(trial, epochs=_EPOCHS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        longer.interrupt(folder, after=1)
        early = Checkpoints(folder).load() or {}
        late = longer.train(folder).state
    return [name for name in names if torch.equal(early["loss"][name], late["loss"][name])]


def _layout(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


@CHECKS.add(
    "state makes the round trip",
    fix="keep what a later step needs in parameters and buffers (register_buffer), not in plain "
    "attributes",
)
def _round_trip(bench: LossBench) -> str:
    first, second = bench.set_up(seed=1), bench.set_up(seed=2, begin=False)
    first.step()
    first.end_epoch()
    state = {name: value.clone() for name, value in first.loss.state_dict().items()}
    second.loss.load_state_dict(state)
    second.ctx.generator.set_state(first.ctx.generator.get_state())
    one, other = _next_epoch(first), _next_epoch(second)
    for name, term in one.items():
        expect(torch.equal(term, other[name]), f"after loading, term '{name}' differs")
    return f"{len(state)} tensors; a loss of another seed that loads them goes on equally"


def _next_epoch(prepared: Prepared) -> dict[str, Tensor]:
    """Return the terms of the second epoch's first step, its random numbers fixed."""
    seed_everything(7)
    positions = prepared.loss.epoch_indices(1)
    prepared.loss.begin_epoch(1)
    now = replace(prepared, positions=prepared.positions if positions is None else positions)
    return dict(now.step().terms.terms)


@CHECKS.add(
    "moves to a device",
    fix="register tensors as buffers (persistent=False for what setup makes again), and make new "
    "ones on batch.outputs.device",
)
def _moves(bench: LossBench) -> str:
    prepared = bench.set_up()
    return moves_to_a_device(prepared.loss, bench.trial, known=prepared.given)


@CHECKS.add(
    "end of an epoch",
    fix="database_codes() returns one code of `bits` bits a training image in training order, or "
    "None",
)
def _hooks(bench: LossBench) -> str:
    prepared = bench.set_up()
    prepared.step()
    prepared.end_epoch()
    learned = prepared.loss.database_codes()
    if learned is None:
        return "the epoch ends; no learned database codes"
    count, found = len(bench.labels), f"{len(learned)} of {learned.bits} bits"
    expect((len(learned), learned.bits) == (count, BITS), f"database_codes() returns {found}")
    return f"the epoch ends; learned database codes: {found}"


@CHECKS.add(
    "one-sided batches", fix="leave a mean over no pair out (primitives.masked_mean gives 0 for it)"
)
def _one_sided(bench: LossBench) -> str:
    sets = {"all images of one class": single_labels(1).repeat(BATCH, 1)}
    sets["each image a class of its own"] = torch.eye(_ALONE)
    if LabelKind.MULTI in bench.cls.info.labels:
        sets["no image with a label"] = torch.zeros(BATCH, 4)
        sets["every image with every label"] = torch.ones(BATCH, 4)
    for name, labels in sets.items():
        _finite(bench.set_up(labels).step(), name)
    return f"finite with {', '.join(sets)}"


@CHECKS.add(
    "a batch of one", fix="do not divide by the number of other images without clamp_min(1)"
)
def _single_image(bench: LossBench) -> str:
    _finite(bench.set_up().step(count=1), "a batch of one")
    return "finite"


@CHECKS.add(
    "extreme outputs",
    fix="use stable forms (primitives.softplus, log_cosh, logit_nll, unit_rows) in place of exp, "
    "log and division",
)
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


@CHECKS.add(
    "label kinds of its info",
    fix="handle what info.labels names, or take it out: labels=frozenset({LabelKind.SINGLE})",
)
def _label_kinds(bench: LossBench) -> str:
    accepted = bench.cls.info.labels
    expect(bool(accepted), "info.labels is empty: no dataset fits")
    sets = {LabelKind.SINGLE: single_labels(48), LabelKind.MULTI: multi_labels(48)}
    for kind in sorted(accepted):
        _finite(bench.set_up(sets[kind]).step(), f"{kind} data")
    refused = sorted(set(LabelKind) - set(accepted))
    pairing = f"; a matrix that pairs it with {refused[0]} data is refused" if refused else ""
    return f"finite on {' and '.join(sorted(accepted))} data{pairing}"


@CHECKS.add(
    "resumed equals unbroken",
    fix="keep what lasts longer than an epoch in parameters and buffers (register_buffer), all of "
    "them made in setup in the shape they keep",
)
def _resumes(bench: LossBench) -> str:
    return resumed_equals_unbroken(bench.trial)


def _finite(step: Step, where: str) -> None:
    for name, term in step.terms.terms.items():
        expect(bool(torch.isfinite(term)), f"{where}: term '{name}' is {float(term)}")
    finite = step.gradient is None or bool(torch.isfinite(step.gradient).all())
    expect(finite, f"{where}: the gradient at the outputs is not finite")


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other if one is None or other is None else torch.equal(one, other)
