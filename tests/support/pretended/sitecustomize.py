"""Lets a node of a test's cluster pretend to be other hardware: PRETENDED_MACHINE has the fields of `Machine` that differ.

PRETENDED_VERSION: the version of inferometer that it says it has, where it is not "".
PRETENDED_DEATH: a file that is not there yet; the process that makes it, the first that serves a driver, dies.
Python imports this by its name, since the test puts the folder on the node's PYTHONPATH.
"""

import importlib.abc
import importlib.util
import json
import os
import sys

_MODULES = ("inferometer.host.machine", "inferometer.version")


class _Pretending(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def __init__(self):
        self._loaders = {}

    def find_spec(self, name, path, target=None):
        if name not in _MODULES:
            return None
        sys.meta_path.remove(self)
        self._loaders[name] = importlib.util.find_spec(name).loader
        sys.meta_path.insert(0, self)
        return importlib.util.spec_from_loader(name, self)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self._loaders[module.__name__].exec_module(module)
        if module.__name__ == "inferometer.version":
            module.__version__ = os.environ.get("PRETENDED_VERSION") or module.__version__
            return
        real = module.describe_machine

        def describe_machine(*arguments):
            import msgspec

            found = real(*arguments)
            return msgspec.convert(
                {**msgspec.to_builtins(found), **json.loads(os.environ["PRETENDED_MACHINE"])}, type(found)
            )

        module.describe_machine = describe_machine


if "PRETENDED_MACHINE" in os.environ:
    sys.meta_path.insert(0, _Pretending())

if "PRETENDED_DEATH" in os.environ and "--mode=specific-server" in sys.orig_argv:
    import contextlib

    with contextlib.suppress(FileExistsError):
        os.close(os.open(os.environ["PRETENDED_DEATH"], os.O_CREAT | os.O_EXCL))
        os._exit(1)
