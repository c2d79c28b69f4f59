"""Interpreters of a plan, one per array library; imported only when asked for."""
