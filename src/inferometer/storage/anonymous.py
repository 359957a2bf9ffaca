"""What names a person or a place, taken out of a run's JSON: host name, user, paths, private addresses, serial numbers of cards."""

from __future__ import annotations

import getpass
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from inferometer.redaction import redacted

_SHORTEST = 3  # characters of a name that is looked for in sentences
_KEPT = ("cell", "cells")  # what a cell is called names nobody
_HOME = re.compile(r"/(?:home|Users)/([^/\s\"']+)")
_QUOTED = re.compile(r"'((?:~|\.{1,2})?/[^']*)'")
_PATH = re.compile(r"(?<![\w./:~-])(?:~|\.{1,2})?(?:/[^\s\"'/:;,()\[\]]+)+/?")
_BROKER = re.compile(r"((?:mqtts?|redfish(?:\+http)?)://)([^/\s\"']+)")
_BROKER_BARE = re.compile(r"(?<=broker at )(?!\w+:/)[^/\s]+(?=/)")  # as the reasons of version 0.1 name it
_PUBLIC = re.compile(r"(?:hf|timm|torchvision):[\w.-]+(?:/[\w.-]+)?")


class Anonymous:
    """Replaces what it learnt from a run's facts, in any JSON value of the same run."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        """``info``: run.json as decoded."""
        machine = _mapping(info.get("machine"))
        texts = list(_strings(info))
        host = str(machine.get("hostname") or "")
        self._words = dict.fromkeys((host, host.partition(".")[0]), "host")
        self._words |= dict.fromkeys((*_users(texts), *_own_user()), "user")
        self._words |= dict.fromkeys(_hosts(texts), "host")
        self._words = {word: said for word, said in self._words.items() if len(word) >= _SHORTEST}
        paths = {text for text in texts if text.startswith(("/", "~/")) and "\n" not in text}
        self._paths = sorted(paths, key=len, reverse=True)  # those with spaces are known only as a whole
        self._cards = {
            str(gpu["uuid"]): f"GPU-{number}"
            for number, gpu in enumerate(machine.get("gpus") or ())
            if isinstance(gpu, dict) and gpu.get("uuid")
        }

    def info(self, info: Mapping[str, Any]) -> dict[str, Any]:
        """Return run.json without the names; its command keeps the options, of its paths the last part."""
        found = self.value({name: value for name, value in info.items() if name != "command"})
        found["machine"] = {**_mapping(found.get("machine")), "hostname": ""}
        if jobs := found.get("jobs"):  # a job's number, name, account and nodes lead to who ran it
            found["jobs"] = [{"system": str(_mapping(job).get("system") or "")} for job in jobs]
        return {**found, "command": self._command(str(info.get("command") or ""))}

    def value(self, value: Any) -> Any:
        """Return any JSON value without the names."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(key): item if key in _KEPT else self.value(item) for key, item in value.items()}
        return value

    def text(self, text: str) -> str:
        """Return a text without the names."""
        text = _BROKER_BARE.sub("host", _BROKER.sub(r"\1host", redacted(text)))
        for path in self._paths:
            text = text.replace(path, _last(path))
        text = _PATH.sub(lambda found: _last(found[0]), _QUOTED.sub(lambda found: _last(found[1]), text))
        for uuid, name in self._cards.items():
            text = text.replace(uuid, name)
        for word, said in self._words.items():
            text = re.sub(rf"(?<![\w-]){re.escape(word)}(?![\w-])", said, text)
        return text

    def _command(self, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError:
            return ""
        return shlex.join(self._word(word) for word in words)

    def _word(self, word: str) -> str:
        name, equals, value = word.rpartition("=")
        if "/" not in value or "://" in value or _PUBLIC.fullmatch(value):
            return self.text(word)
        return self.text(f"{name}{equals}{_last(value)}")


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)


def _users(texts: list[str]) -> Iterator[str]:
    for text in texts:
        yield from _HOME.findall(text)


def _hosts(texts: list[str]) -> Iterator[str]:
    """Yield the hosts of network meters; errors name them without the address."""
    for text in texts:
        for _, place in _BROKER.findall(redacted(text)):
            yield place.rpartition("@")[2].rpartition(":")[0] or place


def _own_user() -> tuple[str, ...]:
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a number without a name
        return ()
    return () if name == "root" else (name,)


def _last(path: str) -> str:
    return PurePosixPath(path).name or "folder"
