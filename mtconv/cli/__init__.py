"""The command `mtconv`, and one module for each subcommand.

The first line of a subcommand's module is its help text. The module has two functions:
``add_arguments(parser)`` adds its arguments and ``run(arguments)`` returns the exit status.
Its name stands in `mtconv.cli.main.COMMANDS`.
"""
