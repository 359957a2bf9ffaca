"""`python -m inferometer`, and the `inferometer` command: the command line, imported within reach of Ctrl-C's handling."""

import sys


def main() -> None:
    """Run the command line and exit; an interruption while it is still being imported is no traceback either."""
    try:
        from inferometer.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("inferometer: interrupted\n")
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
