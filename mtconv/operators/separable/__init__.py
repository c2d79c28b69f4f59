"""Kernels that are the product of one vector for each axis, applied axis by axis.

A map with such a kernel is one map of one axis after another, each a matrix with few
entries in a row, whatever the stride, the dilation and the padding mode are. Rows are
multiplied some at a time, as small dense matrices.
"""
