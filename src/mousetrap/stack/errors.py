"""Errors that keep the system from running on this machine."""


class StackError(Exception):
    """Base of the errors of this package; the message tells a person what to do."""


class FolderError(StackError):
    """The data folder is unusable."""


class FolderInUseError(FolderError):
    """Another process works on the data folder."""


class IdentityError(StackError):
    """Postgres refuses to run as root, and no other user is available."""


class ServerStartError(StackError):
    """A server did not start."""


class PortError(StackError):
    """The API cannot listen on the port."""
