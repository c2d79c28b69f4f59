"""Pictures of a geometry, drawn on matplotlib: still, moving, and of overlap counts.

Colours are phases: an element of the big side, the taps that reach it, their lines and
their entries in the matrix have the same colour. Hatched elements are cropped by the
transposed convolution, and are the padding of the convolution.
"""

from mtconv.drawing.figures import animate as animate
from mtconv.drawing.figures import draw as draw
from mtconv.drawing.figures import draw_overlap as draw_overlap

__all__ = ["animate", "draw", "draw_overlap"]
