"""Layers for training, one module a framework: `mtconv.nn.flax` and `mtconv.nn.equinox`.

They have torch's semantics, options, initial values and weight layout, so that the
weights of a torch checkpoint are loaded as they are. A framework is imported only where
its module is.
"""

__all__: list[str] = []
