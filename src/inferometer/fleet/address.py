"""Where a Ray cluster is said to be, and whether that is what answers there: Ray itself would try for minutes."""

from __future__ import annotations

import os
import socket
import time

from inferometer.errors import UsageError

LOCAL = "local"
_CLIENT = "ray://"
_CONNECT_S = 10.0
_ANSWER_S = 10.0
_TRIES = 3  # a connection may break while the other side is busy
# a call that each kind of server knows, and nobody else
_CLIENT_CALL = "/ray.rpc.RayletDriver/ClusterInfo"
_HEAD_CALL = "/ray.rpc.NodeInfoGcsService/CheckAlive"


def meant(address: str) -> str:
    """Return the address that is meant, "local" being what RAY_ADDRESS names, if anything.

    UsageError for what is not "ray://HOST:PORT", "HOST:PORT" or "local".
    """
    named = os.environ.get("RAY_ADDRESS", "") if address == LOCAL else ""
    if named not in ("", "auto", LOCAL):
        return _checked(named, "RAY_ADDRESS")
    return address if address == LOCAL else _checked(address, "--cluster")


def _checked(address: str, given: str) -> str:
    host, _, port = address.removeprefix(_CLIENT).rpartition(":")
    known = host and "/" not in host and port.isdecimal() and 0 < int(port) < 2**16
    if not known:
        raise UsageError(
            f"{given} '{address}': give ray://HOST:PORT (10001 usually), HOST:PORT (6379 usually), or local"
        )
    return address


def check_answers(address: str) -> None:
    """Raise UsageError where nothing listens at an address, or something else than it says."""
    if address == LOCAL:
        return
    host, _, port = address.removeprefix(_CLIENT).rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_S).close()
    except OSError as error:
        raise no_cluster(address, error.strerror or str(error)) from error
    if "RAY_USE_TLS" not in os.environ:
        _check_speaks(address, f"{host}:{port}")


def no_cluster(address: str, words: str) -> UsageError:
    """Return the error for an address where no cluster is."""
    return UsageError(
        f"--cluster {address}: no Ray cluster answers ({words}); start one (docs/fleet.md), or give its ray://HOST:10001"
    )


def _check_speaks(address: str, place: str) -> None:
    """Raise UsageError where another server than Ray's of that kind answers; one that is slow to answer may be it."""
    by_client = address.startswith(_CLIENT)
    status = _status_of(place, _CLIENT_CALL if by_client else _HEAD_CALL)
    if status == "UNIMPLEMENTED":
        other = "the cluster's head" if by_client else "Ray's client server"
        remedy = f"leave out {_CLIENT}" if by_client else f"give {_CLIENT}{place}"
        raise UsageError(f"--cluster {address}: that is the port of {other}, if of Ray at all; {remedy}")
    if status == "UNAVAILABLE":
        raise no_cluster(address, "something else does")


def _status_of(place: str, call: str) -> str:
    """Return gRPC's word for how a server took a call, "OK" where it answered."""
    import grpc

    status = ""
    for number in range(_TRIES):
        time.sleep(number)
        with grpc.insecure_channel(place, [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                channel.unary_unary(call)(b"", timeout=_ANSWER_S)
            except grpc.RpcError as error:
                status = error.code().name
            else:
                return "OK"
        if status != "UNAVAILABLE":
            break
    return status
