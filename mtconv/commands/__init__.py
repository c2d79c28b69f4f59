"""Subcommands of `mtconv`, one module each.

A module's first line is the help text. It has two functions: ``add_arguments(parser)``
adds its arguments and ``run(arguments)`` returns the exit status. Its name stands in
`mtconv.cli.COMMANDS`.
"""
