"""Connecting to a Ray cluster, and leaving it."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from inferometer.errors import UsageError
from inferometer.fleet import envoy
from inferometer.fleet.address import LOCAL, asks_for_token, check_answers, meant, no_cluster, no_token
from inferometer.fleet.cluster import Cluster
from inferometer.fleet.quiet import quiet
from inferometer.fleet.remote import one_line

_NAMESPACE = "inferometer"
_TRIES = 3  # the head starts a process for each driver, which can die on a busy machine


@contextlib.contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """Yield the cluster at "ray://HOST:PORT", "HOST:PORT" (on one of its machines) or "local"; UsageError where there is none.

    "local": the one on this machine, which is started for as long as this lasts where none runs.
    """
    address = meant(address)
    ray = _ray()
    check_answers(address)
    settings = {
        "namespace": _NAMESPACE,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
        "configure_logging": False,
    }
    try:
        with _own_signals():
            _connect(ray, address, settings)
    except ray.exceptions.AuthenticationError as error:
        raise no_token(address) from error
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        if asks_for_token(address):  # else it would have been told of one that is wrong
            raise no_token(address) from error
        raise no_cluster(address, one_line(error, 300)) from error
    cluster = Cluster(ray, by_client=address.startswith("ray://"))
    with quiet():
        try:
            yield cluster
        finally:
            try:
                cluster.gate.close()
            finally:  # also where a Ctrl-C comes meanwhile
                ray.shutdown()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep what SIGTERM does here: Ray would have it end the process without a word."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _connect(ray: Any, address: str, settings: Mapping[str, Any]) -> None:
    if address.startswith("ray://"):
        _connect_by_client(ray, address, settings)
        return
    if address != LOCAL:
        ray.init(address=address, **settings)
        return
    if running := _running():
        ray.init(address=running, **settings)
        return
    # else Ray leaves a token in the home, which every cluster that is started there later asks for
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15 else
    ray.init(address="local", include_dashboard=False, **settings)


def _running() -> str:
    """Return where this machine's Ray answers, "" where none does: one that was killed leaves its address, which Ray tries for minutes."""
    from ray._private.services import get_ray_address_from_environment

    try:
        found = str(get_ray_address_from_environment("auto", None))
        check_answers(found)
    except (ConnectionError, UsageError):
        return ""
    return "" if found == LOCAL else found


def _connect_by_client(ray: Any, address: str, settings: Mapping[str, Any]) -> None:
    for left in reversed(range(_TRIES)):
        try:
            ray.init(address=address, **settings)
            return
        except ConnectionError as error:
            ray.shutdown()
            if not (left and "Initialization failure from server" in str(error)):
                raise


def _ray() -> Any:
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # a thread that asks too late starts no cluster of its own
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "--cluster needs Ray: pip install 'inferometer[cluster]', here and on every node"
        ) from error
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.cloudpickle.register_pickle_by_value(envoy)
    return ray
