"""`python -m serve` is `segue`, except that Python looks for it in the current folder first."""

import sys

if not sys.flags.safe_path and f"{sys.path[0]}/serve/__main__.py" != __file__:
    del sys.path[0]  # a folder of somebody else, whose `engine.py` would be imported in the place of ours

from serve.cli import main

if __name__ == "__main__":
    main()
