"""A BMC by Redfish over real HTTP: a mock-up of a server's chassis after DMTF's schemas, whose sensors a test sets."""

import base64
import contextlib
import copy
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHASSIS = "/redfish/v1/Chassis"
SENSOR = f"{CHASSIS}/1/Sensors/TotalPower"


def resource(path, kind, **fields):
    return {
        "@odata.id": path,
        "@odata.type": f"#{kind}",
        "Id": path.rpartition("/")[2],
        "Name": kind,
        **fields,
    }


def collection(path, *paths):
    members = [{"@odata.id": one} for one in paths]
    return resource(path, "Collection", Members=members, **{"Members@odata.count": len(members)})


def mockup(*excerpts, supplies=()):
    """Return the resources of a server whose EnvironmentMetrics have ``excerpts`` (name, fields), and its power supplies."""
    chassis = f"{CHASSIS}/1"
    found = {
        CHASSIS: collection(CHASSIS, chassis),
        chassis: resource(
            chassis, "Chassis.v1_25_0.Chassis", Manufacturer="Contoso", Model="3500RX",
            EnvironmentMetrics={"@odata.id": f"{chassis}/EnvironmentMetrics"},
            PowerSubsystem={"@odata.id": f"{chassis}/PowerSubsystem"},
        ),
        f"{chassis}/EnvironmentMetrics": resource(
            f"{chassis}/EnvironmentMetrics", "EnvironmentMetrics.v1_3_2.EnvironmentMetrics", **dict(excerpts)
        ),
        f"{chassis}/PowerSubsystem": resource(
            f"{chassis}/PowerSubsystem", "PowerSubsystem.v1_1_3.PowerSubsystem", CapacityWatts=2000,
            PowerSupplies={"@odata.id": f"{chassis}/PowerSubsystem/PowerSupplies"},
        ),
        SENSOR: resource(SENSOR, "Sensor.v1_10_1.Sensor", ReadingType="Power", ReadingUnits="W", SensingInterval="PT0.2S"),
    }  # fmt: skip
    bays = f"{chassis}/PowerSubsystem/PowerSupplies"
    paths = [f"{bays}/Bay{number}" for number, _ in enumerate(supplies, 1)]
    found[bays] = collection(bays, *paths)
    for path, watts in zip(paths, supplies, strict=True):
        state = "Absent" if watts is None else "Enabled"
        found[path] = resource(path, "PowerSupply.v1_6_0.PowerSupply", Status={"State": state})
        if watts is not None:
            found[path]["Metrics"] = {"@odata.id": f"{path}/Metrics"}
            found[f"{path}/Metrics"] = resource(
                f"{path}/Metrics", "PowerSupplyMetrics.v1_1_2.PowerSupplyMetrics", InputPowerWatts={"Reading": watts}
            )  # fmt: skip
    return found


class Bmc:
    """The resources served; ``resources`` may be changed, ``status`` answers instead of them where it is not 0."""

    def __init__(self, resources, password=""):
        self.resources, self.password = copy.deepcopy(resources), password
        self.status, self.asked, self.body = 0, [], None
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    @property
    def url(self):
        return f"redfish+http://127.0.0.1:{self.server.server_port}"

    def set(self, path, key, reading):
        with self.lock:
            self.resources[path][key]["Reading"] = reading

    def _handler(bmc):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                bmc.asked.append(self.path)
                token = base64.b64encode(f"root:{bmc.password}".encode()).decode()
                with bmc.lock:
                    status = bmc.status or (200 if self.path in bmc.resources else 404)
                    if bmc.password and self.headers["Authorization"] != f"Basic {token}":
                        status = 401
                    body = bmc.body or json.dumps(bmc.resources.get(self.path, {})).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        return Handler


@contextlib.contextmanager
def serving_bmc(resources, password=""):
    bmc = Bmc(resources, password)
    thread = threading.Thread(target=bmc.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield bmc
    finally:
        bmc.server.shutdown()
        bmc.server.server_close()
        thread.join()
