"""`python -m serve` is `segue`."""

from serve.cli import main

if __name__ == "__main__":
    main()
