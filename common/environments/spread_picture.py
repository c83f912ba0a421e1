"""A picture of `spread`: landmarks as grey dots, agents as coloured discs."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE = 320  # pixels
EXTENT = 1.5  # half the side of the square in view, in the world's units
SMOOTHING = 3  # drawn this much larger, then scaled down
LANDMARK_RADIUS = 0.05
LEGEND_DISCS = 8
GREY = (60, 60, 60, 255)
Colour = tuple[int, int, int, int]


def disc_colours(agents: int) -> list[Colour]:
    """A colour for each agent, as unlike as there can be."""
    hues = [colorsys.hsv_to_rgb(number / agents + 0.58, 0.65, 0.85) for number in range(agents)]
    return [(int(255 * red), int(255 * green), int(255 * blue), 190) for red, green, blue in hues]


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
    colours = disc_colours(len(agents))
    for i, agent in enumerate(agents):
        disc(agent, radius, colours[i])
    for landmark in landmarks:
        disc(landmark, LANDMARK_RADIUS, GREY)
    _legend(pen, colours)
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _legend(pen: ImageDraw.ImageDraw, colours: list[Colour]) -> None:
    """What is what, in the upper left corner: as many discs as there is room for."""
    size, gap = 5 * SMOOTHING, 4 * SMOOTHING
    font = ImageFont.load_default(11 * SMOOTHING)
    plural = "s" if len(colours) > 1 else ""
    for line, (shown, words) in enumerate(((colours[:LEGEND_DISCS], f"agent{plural}"), ([GREY], f"landmark{plural}"))):
        x, y = 2 * gap, (2 * line + 1) * (size + gap)
        radius = size if line == 0 else size // 2
        for colour in shown:
            pen.ellipse((x + size - radius, y - radius, x + size + radius, y + radius), fill=colour)
            x += 2 * size + SMOOTHING
        pen.text((x + gap // 2, y), words, fill=GREY, anchor="lm", font=font)
