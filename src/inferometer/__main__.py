"""`python -m inferometer`, and the `inferometer` command: the command line, within reach of what handles Ctrl-C."""

import signal
import sys


def main() -> None:
    """Run the command line and exit; no interruption is a traceback: not while it is imported, and none that follows another."""
    try:
        from inferometer.cli import main as run
    except KeyboardInterrupt:
        sys.stderr.write("inferometer: interrupted\n")
        sys.exit(130)
    try:
        run()
    except KeyboardInterrupt:  # while the first was being told
        sys.exit(130)
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is left is the interpreter's end


if __name__ == "__main__":
    main()
