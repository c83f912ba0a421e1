"""A user's module with a mistake in it, for the test of `chorus doctor`."""


class Team:
    def __init__(self) -> None:
        self.size = 1 // 0
