"""Who is told how a run over a cluster gets on, and keeps it."""


class Watcher:
    """Keeps what it is told."""

    def __init__(self):
        self.told = []

    def say(self, text):
        self.told.append(text)

    def update(self, jobs):
        pass
