"""What the doctor finds."""


class Trouble(Exception):
    """Something is not as it must be.

    Args:
        wrong: what, as the beginning of a sentence.
        remedy: what to do, a command where there is one.
    """

    def __init__(self, wrong: str, remedy: str):
        super().__init__(f"{wrong}: {remedy}")
