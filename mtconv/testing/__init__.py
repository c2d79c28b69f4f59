"""Checks for your own tests: the dot test, the loop reference, agreement of backends.

Import it by name: ``import mtconv.testing``. Only `assert_matches_reference` needs
Hypothesis.
"""

from mtconv.testing.adjoint import assert_adjoint as assert_adjoint
from mtconv.testing.agreement import assert_backends_agree as assert_backends_agree
from mtconv.testing.agreement import implementations as implementations
from mtconv.testing.asking import Accepted as Accepted
from mtconv.testing.matching import assert_matches_reference as assert_matches_reference
from mtconv.testing.reference import reference_conv as reference_conv
from mtconv.testing.reference import reference_conv_transpose as reference_conv_transpose
from mtconv.testing.reference import reference_kernel_grad as reference_kernel_grad
from mtconv.testing.relations import Relation as Relation
from mtconv.testing.relations import assert_relations as assert_relations

__all__ = [
    "Accepted",
    "Relation",
    "assert_adjoint",
    "assert_backends_agree",
    "assert_matches_reference",
    "assert_relations",
    "implementations",
    "reference_conv",
    "reference_conv_transpose",
    "reference_kernel_grad",
]
