"""`python -m mtconv` is the command `mtconv`."""

import sys

from mtconv.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
