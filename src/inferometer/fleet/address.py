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
        _check_speaks(address)


def no_cluster(address: str, words: str) -> UsageError:
    """Return the error for an address where no cluster is."""
    return UsageError(
        f"--cluster {address}: no Ray cluster answers ({words}); start one (docs/fleet.md), or give its ray://HOST:10001"
    )


def no_token(address: str) -> UsageError:
    """Return the error for a cluster that asks for a token, and has none from here or another one."""
    return UsageError(
        f"--cluster {address}: Ray's token is missing here, or is not the cluster's; set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN "
        "(or RAY_AUTH_TOKEN_PATH, a file with it) to the cluster's, here and on every node"
    )


def asks_for_token(address: str) -> bool:
    """Return whether what answers at an address asks for a token."""
    if address == LOCAL or "RAY_USE_TLS" in os.environ:
        return False
    return _status(address) == "UNAUTHENTICATED"


def _check_speaks(address: str) -> None:
    """Raise UsageError where another server than Ray's of that kind answers; one that is slow to answer may be it."""
    status = _status(address)
    if status == "UNIMPLEMENTED":
        by_client = address.startswith(_CLIENT)
        other = "the cluster's head" if by_client else "Ray's client server"
        remedy = f"leave out {_CLIENT}" if by_client else f"give {_CLIENT}{address}"
        raise UsageError(f"--cluster {address}: that is the port of {other}, if of Ray at all; {remedy}")
    if status == "UNAVAILABLE":
        raise no_cluster(address, "something else does")


def _status(address: str) -> str:
    """Return gRPC's word for how what is at an address took a call that it should know, "OK" where it answered."""
    import grpc

    place, call = address.removeprefix(_CLIENT), _CLIENT_CALL if address.startswith(_CLIENT) else _HEAD_CALL
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
