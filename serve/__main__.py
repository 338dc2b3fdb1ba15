"""`python -m serve` is `segue`, except that Python looks for it in the current folder first."""

import sys

if not sys.flags.safe_path and f"{sys.path[0]}/serve/__main__.py" != __file__:
    del sys.path[0]  # somebody else's folder, in which `engine.py` is not ours

from serve.cli import main

if __name__ == "__main__":
    main()
