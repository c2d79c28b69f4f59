"""Signals that come in chunks: what the whole would have given, chunk by chunk.

A stream has ``start(batch, dtype) -> state``, ``step(state, chunk) -> (state, output)`` and
``flush(state) -> output``. All three are pure functions: the state is passed and returned,
and JAX runs them under `jit`, `scan` and `vmap`.
"""

from mtconv.streaming.chains import chain as chain
from mtconv.streaming.pair import ConvStream as ConvStream
from mtconv.streaming.pair import ConvTransposeStream as ConvTransposeStream
from mtconv.streaming.residuals import residual as residual
from mtconv.streaming.running import RunningStream as RunningStream
from mtconv.streaming.state import StreamState as StreamState
from mtconv.streaming.state import map_state as map_state
from mtconv.streaming.stft import InverseSTFTStream as InverseSTFTStream
from mtconv.streaming.stream import Stream as Stream

__all__ = [
    "ConvStream",
    "ConvTransposeStream",
    "InverseSTFTStream",
    "RunningStream",
    "Stream",
    "StreamState",
    "chain",
    "map_state",
    "residual",
]
