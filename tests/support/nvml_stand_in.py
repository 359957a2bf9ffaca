"""NVML as a stand-in library tells it; the names used are checked in the real `pynvml`."""

from types import SimpleNamespace

import pynvml

UUIDS = ["GPU-aaaa-0", "GPU-aabb-1", "GPU-cccc-2"]


class StandIn:
    """Answers like pynvml for GPUs of a kind: each call in ``refused`` raises as an old GPU would, those of ``lost`` as a dead one."""

    NVMLError = pynvml.NVMLError
    NVML_SUCCESS = pynvml.NVML_SUCCESS

    def __init__(self, uuids=UUIDS, refused=(), mig=(), capability=(9, 0), lost=(), names=()):
        self.uuids, self.refused, self.mig, self.capability = uuids, set(refused), mig, capability
        self.names = names
        self.lost = dict(lost)  # by index the call that says so, as the first of that card

    def __getattr__(self, name):
        if name.startswith("NVML_"):
            return getattr(pynvml, name)
        if not hasattr(pynvml, name):
            raise AttributeError(name)
        return lambda *arguments: self._answer(name, *arguments)

    def _answer(self, name, handle=None, *_):
        if name in self.refused:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        if self.lost.get(handle) == name:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        answers = {
            "nvmlDeviceGetCount": lambda: len(self.uuids),
            "nvmlDeviceGetHandleByIndex": lambda: handle,
            "nvmlDeviceGetUUID": lambda: self.uuids[handle],
            "nvmlDeviceGetName": lambda: self.names[handle] if self.names else b"Fake GPU",
            "nvmlDeviceGetMigMode": lambda: (int(handle in self.mig), 0),
            "nvmlDeviceGetCudaComputeCapability": lambda: self.capability,
            "nvmlDeviceGetTotalEnergyConsumption": lambda: 5_000,
            "nvmlDeviceGetPowerUsage": lambda: 70_000,
            "nvmlDeviceGetFieldValues": lambda: [
                SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=71_000))
            ],
            "nvmlDeviceGetClockInfo": lambda: 1980,
            "nvmlDeviceGetTemperature": lambda: 40,
            "nvmlDeviceGetUtilizationRates": lambda: SimpleNamespace(gpu=90),
            "nvmlDeviceGetCurrentClocksThrottleReasons": lambda: 0x44,
            "nvmlSystemGetCudaDriverVersion": lambda: 13000,
            "nvmlSystemGetDriverVersion": lambda: b"580.1",
            "nvmlDeviceGetEnforcedPowerLimit": lambda: 500_000,
            "nvmlDeviceGetPowerManagementLimitConstraints": lambda: [100_000, 700_000],
        }
        return answers.get(name, lambda: None)()
