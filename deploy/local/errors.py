class LocalError(Exception):
    """The launcher cannot do what was asked; the message tells a person what to do about it."""
