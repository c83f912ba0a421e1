"""`python -m chorus`, and the `chorus` command."""

import sys

from chorus.commands.parser import main

if __name__ == "__main__":
    sys.exit(main())
