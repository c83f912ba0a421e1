"""A picture of `spread`: landmarks as grey dots, agents as coloured discs."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIDE = 320  # pixels
EXTENT = 1.5  # half the side of the square in view, in the world's units
SMOOTHING = 3  # drawn this much larger, then scaled down
LANDMARK_RADIUS = 0.05


def draw(agents: NDArray[np.float64], landmarks: NDArray[np.float64], radius: float) -> NDArray[np.uint8]:
    """One moment, `[SIDE, SIDE, 3]`; `agents` and `landmarks` are `[entity, 2]`; who wanders off is not seen."""
    large = SIDE * SMOOTHING
    picture = Image.new("RGB", (large, large), (250, 250, 248))
    pen = ImageDraw.Draw(picture, "RGBA")

    def disc(place: NDArray[np.float64], size: float, colour: tuple[int, ...]) -> None:
        x, y = (place * (1, -1) / EXTENT + 1) * large / 2
        r = size / EXTENT * large / 2
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    edge = large / 2 / EXTENT
    pen.rectangle(
        (large / 2 - edge, large / 2 - edge, large / 2 + edge, large / 2 + edge), outline=(225, 225, 220), width=3
    )
    for i, agent in enumerate(agents):
        red, green, blue = colorsys.hsv_to_rgb(i / len(agents) + 0.58, 0.65, 0.85)
        disc(agent, radius, (int(255 * red), int(255 * green), int(255 * blue), 190))
    for landmark in landmarks:
        disc(landmark, LANDMARK_RADIUS, (60, 60, 60, 255))
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))
