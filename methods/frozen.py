"""What cannot be trained on the cached features of a frozen backbone."""

from __future__ import annotations

from hashbench.core.cell import Head
from hashbench.methods.head_names import TOKEN_NECKS


def frozen_refusals(*, augmentation: str, head: Head, views: int) -> list[str]:
    """Say, one line each, why a training cannot go without passing images through the backbone.

    A frozen backbone sees every image once and un-augmented, and only its pooled output is kept.

    Args:
        augmentation: The augmentation rule.
        head: Its neck may want more than the pooled output.
        views: Augmented views a step that the loss asks for.

    Returns:
        Nothing if it can.
    """
    refusals = []
    if views > 1:
        refusals.append(
            f"the loss compares {views} augmented views of an image, of which a frozen backbone "
            f"sees one, un-augmented. Write train: {{backbone: tuned}} for it"
        )
    elif augmentation != "none":
        refusals.append(
            f"a frozen backbone sees every image once, and augmentation {augmentation} would "
            f"change it at every step. Write train: {{augmentation: none}}"
        )
    if head.neck in TOKEN_NECKS:
        refusals.append(
            f"only the pooled output of a frozen backbone is kept, and {head.neck} reads its "
            f"tokens. Use the neck pool or mlp3"
        )
    return refusals
