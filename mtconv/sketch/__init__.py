"""The small picture of a geometry that notebooks show, made without a library."""
