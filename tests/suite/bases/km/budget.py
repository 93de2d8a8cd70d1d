"""What an algorithm may spend."""


class Distances:
    """The points, and how many passes over all of them have been made; they are limited."""

    def __init__(self, points, limit):
        self.points, self.limit, self.passes = points, limit, 0

    def spend(self):
        self.passes += 1
        if self.passes > self.limit:
            raise RuntimeError("no passes are left")
