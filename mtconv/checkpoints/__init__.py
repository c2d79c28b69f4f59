"""Files of arrays, read and written without loss, and which arrays in them are kernels."""

from mtconv.checkpoints.files import read as read
from mtconv.checkpoints.files import write as write
from mtconv.checkpoints.stored import Checkpoint as Checkpoint
from mtconv.checkpoints.stored import CheckpointError as CheckpointError
from mtconv.checkpoints.stored import Stored as Stored

__all__ = ["Checkpoint", "CheckpointError", "Stored", "read", "write"]
