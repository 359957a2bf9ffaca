"""The command line: parse, call, print. The only package that prints or exits.

Commands live in modules of their own and are imported when called, so that `inferometer --help` stays quick.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from collections.abc import Sequence

import click

from inferometer.cli.encoding import other_encoding, refuse_other_encodings
from inferometer.cli.groups import CommandGroup
from inferometer.cli.signals import Stops
from inferometer.cli.streams import forget_output, open_closed_streams, write_plainly_where_needed
from inferometer.errors import InferometerError
from inferometer.escapes import shown
from inferometer.host.processes import children_heard
from inferometer.redaction import redacted
from inferometer.threads import NO_THREAD
from inferometer.version import __version__

_PROGRAM = "inferometer"

# command: (module below inferometer.cli, one line of help). The function in the module has the command's name,
# with "_command" appended.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Measure a model on every framework this machine can run."),
    "show": ("show", "Print the table of a run directory again."),
    "frameworks": ("frameworks", "List every framework known, and whether it can run here."),
    "env": ("frameworks", "List, build or remove the frameworks' environments."),
    "cache": ("cache", "Verify, list or prune what is cached."),
    "machine": ("frameworks", "Describe this machine."),
    "measure": ("energy", "Energy, time and mean power of any command."),
    "meters": ("energy", "List, characterize, publish or serve this machine's energy meters."),
    "report": ("report", "Write one self-contained HTML report of any set of runs."),
    "table": ("table", "Print one metric of any set of runs as a table."),
    "load": ("load", "Show what rows did under load, by MLPerf's LoadGen."),
    "recommend": ("recommend", "Choose framework, precision and batch size under constraints."),
    "statement": ("statement", "Energy and carbon per 1,000 inferences, as organisations report them."),
    "export": ("export", "Write a measured cell as a folder that runs without inferometer."),
    "compare": ("compare", "Compare two runs cell by cell."),
    "history": ("history", "Show a metric over all runs of a folder, and where it changed."),
    "merge": ("merge", "Pool runs into one run directory."),
    "repair": ("repair", "Make a damaged run directory readable again."),
    "pack": ("pack", "Write a run directory as one archive, anonymous for publishing."),
    "bundle": ("bundling", "Pack what a run needs, for a machine without a network."),
    "unbundle": ("bundling", "Make a bundle's environments and models, without a network."),
    "import": ("importing", "Turn other people's CSV files into a run directory."),
    "serve": ("serving", "Serve the live report of a folder of runs."),
}


_READERS = ("show", "report", "table", "recommend", "compare")


class _LazyGroup(CommandGroup):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"inferometer.cli.{COMMANDS[cmd_name][0]}")
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=_PROGRAM)
def cli() -> None:
    """Which inference framework, precision and batch size to deploy: fastest, or least energy per inference."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 interrupted (143 and 129 by SIGTERM, SIGHUP)."""
    with Stops() as stops, children_heard():
        status = invoke(arguments)
    # CPython remembers an interruption that passed through code made of text (`dataclass` makes such) until it runs the next,
    # and would end `python -m inferometer` by SIGINT instead of with our status
    eval("0")
    sys.exit(stops.status(status))


def invoke(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr, never a traceback."""
    open_closed_streams()
    write_plainly_where_needed()
    try:
        result = _call(arguments)
        sys.stdout.flush()  # a full disk is found now, not when the interpreter ends
        return result if isinstance(result, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:  # a command of commands, without one
        click.echo(error.format_message(), err=True)
        return error.exit_code
    except (InferometerError, click.ClickException) as error:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return _fail(text, error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(err=True)  # ends the terminal's line with its ^C
        return _fail("interrupted", 130)
    except BrokenPipeError:  # what read our output (head, less) has seen enough of it
        forget_output()
        return 0
    except (OSError, MemoryError, RuntimeError, UnicodeEncodeError) as error:
        text = _message(error)
        if not text:
            raise
        return _fail(text, 1)


def _call(arguments: list[str] | None) -> object:
    """Return what the command returns. Click's own `main` would end the process where a pipe is broken."""
    if f"_{_PROGRAM}_COMPLETE".upper() in os.environ:
        cli.main(prog_name=_PROGRAM)  # answers the shell and exits
    given = sys.argv[1:] if arguments is None else list(arguments)
    refuse_other_encodings(given)
    try:
        with cli.make_context(_PROGRAM, given) as context, _collector(given):
            return cli.invoke(context)
    except click.exceptions.Exit as done:  # --help, --version
        return done.exit_code


def _collector(given: Sequence[str]) -> contextlib.AbstractContextManager[None]:
    """Let the garbage collector rest in commands that read runs, print and end: it would go through all cells again and again."""
    if given and given[0] in _READERS:
        from inferometer.storage.collector import no_collection

        return no_collection()
    return contextlib.nullcontext()


def _message(error: OSError | MemoryError | RuntimeError | UnicodeEncodeError) -> str:
    """Return what is wrong around us, in a line; "" where the fault is our own."""
    if isinstance(error, MemoryError):
        return "this takes more memory than there is; give less at once, fewer runs for instance"
    if isinstance(error, UnicodeEncodeError):
        return other_encoding(error.object)
    if isinstance(error, RuntimeError):
        remedy = "no thread more can be started: raise the limit on processes (ulimit -u, a container's pids)"
        return remedy if str(error) == NO_THREAD else ""
    try:
        sys.stdout.flush()
    except OSError:  # it is the output that failed
        forget_output()
    where = error.filename or (
        "cannot write" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "cannot go on"
    )
    return f"{where}: {error.strerror or error}"


def _fail(message: str, code: int) -> int:
    with contextlib.suppress(OSError):  # nobody is left to tell
        click.echo(f"inferometer: {_shortened(shown(redacted(' '.join(message.split()))))}", err=True)
    return code


def _shortened(line: str) -> str:
    """Return a line whose remedy, at its end, is not buried under a value of thousands of characters."""
    return line if len(line) <= 2000 else f"{line[:1400]} ... {line[-400:]}"
