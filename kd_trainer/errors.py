"""Errors that the user can mend."""


class UserError(ValueError):
    """Bad input: the message says what was found, what was expected and how to mend it."""


class ConfigError(UserError):
    """The run's configuration is wrong."""


class DataError(UserError):
    """The data is missing, corrupt or not what it should be."""


def nearest(name: str, known: list[str]) -> str:
    """Returns a hint such as `Did you mean 'fitnet'? Known: ...` for an unknown name."""
    import difflib

    matches = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    quoted = " or ".join(repr(match) for match in matches)
    hint = f"Did you mean {quoted}? " if matches else ""
    return f"{hint}Known: {', '.join(sorted(known))}."
