"""Which changes make the views of an image that two-view losses are published with."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

NUMBERS = 18  # drawn for every image, used or not, so that images do not depend on each other
LEAST_KERNEL = 3
LOG_RATIO = math.log(4 / 3)  # sides of a crop: from 3:4 to 4:3
SIGMA = (0.1, 2.0)


@dataclass(frozen=True, slots=True)
class ViewRule:
    """Which changes an image may undergo, each with its own probability, in this order.

    Attributes:
        crop: Probability of a crop, resized back.
        area: Least and greatest share of the image that a crop keeps; its sides are in the ratio
            3:4 to 4:3, cut down where they would leave the image.
        flip: Probability of mirroring.
        jitter: Probability of changed colours.
        strengths: Of brightness, contrast, saturation (a factor in 1 -+ strength) and hue (a shift
            in -+ strength of the circle); applied in random order.
        grey: Probability of losing the colours.
        blur: Probability of a Gaussian blur of deviation 0.1 to 2 pixels.
        kernel: Side of the blur as a share of the image's, made odd, at least 3 pixels.
    """

    crop: float
    area: tuple[float, float]
    flip: float
    jitter: float
    strengths: tuple[float, float, float, float]
    grey: float
    blur: float
    kernel: float = 0.0

    def weaker(self, share: float) -> ViewRule:
        """The same changes, each with its probability times a share."""
        return replace(
            self,
            crop=self.crop * share,
            flip=self.flip * share,
            jitter=self.jitter * share,
            grey=self.grey * share,
            blur=self.blur * share,
        )


CIBHASH = ViewRule(
    crop=1.0,
    area=(0.5, 1.0),
    flip=0.5,
    jitter=0.7,
    strengths=(0.4, 0.4, 0.4, 0.1),
    grey=0.2,
    blur=0.5,
)
DHD = ViewRule(
    crop=1.0,
    area=(0.08, 1.0),
    flip=0.5,
    jitter=0.8,
    strengths=(0.4, 0.8, 0.8, 0.2),
    grey=0.2,
    blur=0.5,
    kernel=0.1,
)
