"""`python -m inferometer` is the `inferometer` command."""

from inferometer.cli import main

if __name__ == "__main__":
    main()
