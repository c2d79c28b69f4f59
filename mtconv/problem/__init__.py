"""Options and shapes become a `ConvSpec`, and where the axes of the arrays are."""
