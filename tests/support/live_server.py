"""The live report's server, in a thread of the test's own."""

import contextlib
import threading

from inferometer.report.page.live import LiveFolder
from inferometer.report.page.serve import open_server


@contextlib.contextmanager
def serving(folder, say=lambda text: None):
    """Serve ``folder`` on any free port; yields the server."""
    server = open_server(LiveFolder(folder), "127.0.0.1", 0, say)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
