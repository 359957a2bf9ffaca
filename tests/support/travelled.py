"""The user's own files brought to this machine's cache, as a fleet or a bundle brings them to another's."""

import hashlib
import json
import shutil
import sys

from inferometer.bundling import bootstrap
from inferometer.bundling.bundle import _Packer
from inferometer.bundling.parts import PartWriter
from inferometer.bundling.request import BundleRequest
from inferometer.bundling.target import Target
from inferometer.bundling.unbundle import unbundle
from inferometer.fleet import goods
from inferometer.planning.given_files import prefixes
from inferometer.version import __version__

HERE = Target(f"{sys.version_info.major}.{sys.version_info.minor}", f"linux-{bootstrap.platform.machine()}")


def sent(good):
    """Bring a good to this machine's cache, as to a node's; return the sizes of its pieces."""
    incoming, digest, sizes = goods.Incoming(good.place, good.key, good.path.name), hashlib.sha256(), []
    for chunk in good.chunks():
        incoming.add(chunk)
        digest.update(chunk)
        sizes.append(len(chunk))
    incoming.finish(digest.hexdigest())
    return sizes


def bundle_of(request, folder, wheels=(), **packed):
    """Write a bundle of the files that a request names, without environments.

    ``wheels``: of inferometer itself. ``packed``: entries in place of others, by kind, with the files of their content.
    """
    folder.mkdir()
    with PartWriter(folder, 1_000_000) as writer:
        given = _Packer(BundleRequest(request, ("cpu",), HERE), writer, folder / ".downloads", print).given()
        for names in packed.values():
            for name, path in names.items():
                writer.add(name, path)
        for path in wheels:
            writer.add(f"wheels/{path.name}", path)
    manifest = {
        "format": bootstrap.FORMAT,
        "inferometer": __version__,
        "python": HERE.python,
        "platform": HERE.platform,
        "model": request.model.model,
        "core": {"wheels": [path.name for path in wheels], "requirements": []},
        "models": [],
        "given": given,
        "prefixes": prefixes(request),
        "environments": [],
        **{kind: [*names] for kind, names in packed.items()},
        "parts": writer.parts,
        "entries": [*writer.entries.values()],
    }
    (folder / bootstrap.MANIFEST).write_text(json.dumps(manifest))
    shutil.copyfile(bootstrap.__file__, folder / "unbundle.py")
    return folder


def unbundled(folder):
    """Return where the user's files of a bundle lie now."""
    return unbundle(folder, borrowed_from=None, progress=print).given
