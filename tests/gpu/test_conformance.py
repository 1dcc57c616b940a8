"""The conformance suites train on the CUDA device where there is one, and say so."""

from __future__ import annotations

import pytest
import torch

from hashbench.conformance.backbone import check_backbone
from hashbench.conformance.findings import Finding
from hashbench.conformance.loss import check_loss
from hashbench.core.registry import Kind, registry

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


def device_finding(findings: list[Finding]) -> Finding:
    """What was seen of a move to a device."""
    return next(finding for finding in findings if finding.title == "moves to a device")


@pytest.mark.parametrize("name", registry().names(Kind.LOSS))
def test_every_loss_trains_on_the_device(name: str) -> None:
    finding = device_finding(check_loss(registry().load(Kind.LOSS, name)))
    assert finding.passed, finding.seen
    assert "epochs on " in finding.seen


def test_a_backbone_trains_on_the_device() -> None:
    finding = device_finding(check_backbone(registry().load(Kind.BACKBONE, "resnet_mini")))
    assert finding.passed, finding.seen
    assert "epochs on " in finding.seen
