"""``python -m learnorder``, the same as the command ``learnorder``."""

import sys

from learnorder.cli import main

if __name__ == "__main__":
    sys.exit(main())
