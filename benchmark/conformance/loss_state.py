"""What the harness counts on in the parameters and buffers of a hashing loss."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from hashbench.conformance.findings import Check, expect
from hashbench.conformance.loss_bench import LossBench, Prepared
from hashbench.conformance.tensors import unregistered
from hashbench.conformance.training import Trial, runs_on_cuda
from hashbench.training.checkpoint import Checkpoints
from hashbench.training.determinism import seed_everything
from hashbench.training.optimisation import build_optimiser

_EPOCHS = 12


def _owned(bench: LossBench) -> str:
    prepared = bench.set_up()
    loss = prepared.loss
    learned = {name for name, tensor in _plain(prepared).items() if tensor.requires_grad}
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
    loss.after_step()
    prepared.end_epoch()
    changed = sorted({*layout.items()} ^ {*_layout(loss.state_dict()).items()})
    expect(not changed, f"not there since setup in one shape: {', '.join(n for n, _ in changed)}")
    shapes = [
        f"{name} {tuple(p.shape)}" + (" (later)" if name in still else "")
        for name, p in trainable.items()
    ]
    return f"in the optimiser, moved by a step: {', '.join(shapes)}" if shapes else "owns none"


def _unmoved(trial: Trial, names: Iterable[str]) -> list[str]:
    """Those of a loss's parameters that a longer training leaves where its first epoch did.

    A parameter that waits for the end of a warm-up is not among them.
    """
    longer = replace(trial, epochs=_EPOCHS)
    with TemporaryDirectory() as name:
        folder = Path(name)
        longer.interrupt(folder, after=1)
        early = Checkpoints(folder).load() or {}
        late = longer.train(folder).state
    return [name for name in names if torch.equal(early["loss"][name], late["loss"][name])]


def _round_trip(bench: LossBench) -> str:
    first, second = bench.set_up(seed=1), bench.set_up(seed=2, begin=False)
    first.step()
    first.loss.after_step()
    first.end_epoch()
    state = {name: value.clone() for name, value in first.loss.state_dict().items()}
    second.loss.load_state_dict(state)
    second.ctx.generator.set_state(first.ctx.generator.get_state())
    one, other = _next_epoch(first), _next_epoch(second)
    for name, term in one.items():
        expect(torch.equal(term, other[name]), f"after loading, term '{name}' differs")
    return f"{len(state)} tensors; a loss of another seed goes on equally with them"


def _next_epoch(prepared: Prepared) -> dict[str, Tensor]:
    """The terms of the second epoch's first step, its random numbers fixed."""
    seed_everything(7)
    positions = prepared.loss.epoch_indices(1)
    prepared.loss.begin_epoch(1)
    now = replace(prepared, positions=prepared.positions if positions is None else positions)
    return dict(now.step().terms.terms)


def _moves(bench: LossBench) -> str:
    prepared = bench.set_up()
    plain = {name: tensor for name, tensor in _plain(prepared).items() if tensor.numel() > 1}
    left = ", ".join(f"self.{name}" for name in sorted(plain))
    expect(not plain, f"would stay behind: {left}")
    moved = prepared.loss.to("meta")
    tensors = [*moved.parameters(), *moved.buffers()]
    expect(all(tensor.is_meta for tensor in tensors), "a parameter or buffer did not move")
    return f"{len(tensors)} tensors moved to 'meta'; {runs_on_cuda(bench.trial)}"


def _plain(prepared: Prepared) -> dict[str, Tensor]:
    given = (prepared.ctx.labels, prepared.ctx.features)
    return unregistered(prepared.loss, known=given)


def _layout(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


STATE_CHECKS: tuple[Check[LossBench], ...] = (
    Check(
        "parameters it owns",
        _owned,
        "make every nn.Parameter in setup and assign it to self (a list of them: "
        "nn.ParameterList); what is not to learn yet has requires_grad=False",
    ),
    Check(
        "state makes the round trip",
        _round_trip,
        "keep what a later step needs in parameters and buffers (register_buffer), not in plain "
        "attributes",
    ),
    Check(
        "moves to a device",
        _moves,
        "register tensors as buffers (persistent=False for what setup makes again), and make new "
        "ones on batch.outputs.device",
    ),
)
