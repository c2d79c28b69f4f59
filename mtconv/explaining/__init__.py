"""What people read of a problem: the explanation, timings, overlap counts.

Not named `explain`, since a package and a function of one name hide one another.
"""
