"""What is said where a question is not decided."""


class Unknown(Exception):
    """It is not decided; the message says why."""
