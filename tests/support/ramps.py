"""A meter whose value grows at each read."""

from inferometer.energy.readings import MeteredDevice, Traits

WATTS = 50


class Ramp:
    """A counter that goes up by a joule a read."""

    def __init__(self, uid="rapl:package-0"):
        self.device, self.traits, self.reads = MeteredDevice(uid, "ramp", "cpu", "rapl"), Traits("counter"), 0

    def read(self):
        self.reads += 1
        return float(self.reads)

    def conditions(self):
        return {}

    def close(self):
        pass
