"""Two channels of two elements each, with a kernel of two taps, a result and a bias."""

import numpy as np

X = np.array([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
KERNEL = np.array([[[1, 10], [2, 20]], [[3, 30], [4, 40]]])
Y = np.array([[[1, -1, 2], [3, 5, -2]], [[4, 0, 1], [-3, 6, 7]]])
BIAS = np.array([100, 200])
