"""Pictures of a geometry, drawn on matplotlib: still, moving, and how often cells are met.

Colours are phases: a big cell, the taps that feed it, their lines and their entries in
the matrix share one. Hatched cells are cropped by the transposed convolution and padding
to the convolution.
"""

from mtconv.drawing.figures import animate as animate
from mtconv.drawing.figures import draw as draw
from mtconv.drawing.figures import draw_overlap as draw_overlap

__all__ = ["animate", "draw", "draw_overlap"]
