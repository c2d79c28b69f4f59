"""What the convention of a framework is made of: kernels, options, and the row of both.

Nothing here knows a framework. `mtconv.compat` has a file for each.
"""
