"""Live comparison with the frameworks; runs only where MTCONV_CONFORMANCE names them.

The nox session `conformance` sets it. A framework that is named and not installed fails.
"""

import os

FRAMEWORKS = [name for name in os.environ.get("MTCONV_CONFORMANCE", "").split(",") if name]
# Needs more packages than its framework, or serves several.
NEEDS = {
    "test_torch_samples.py": {"torch"},
    "test_generator.py": {"torch"},
    "test_onnx_nodes.py": {"onnx"},
    "test_live.py": set(),
    "test_targets.py": set(),
}

collect_ignore = [
    name for name, needed in NEEDS.items() if not FRAMEWORKS or needed - {*FRAMEWORKS}
]
