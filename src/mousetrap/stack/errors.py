"""What can keep the system from running on this machine."""


class StackError(Exception):
    """Base of everything that this room raises; the message tells a person what to do."""


class FolderError(StackError):
    """The data folder cannot be used."""


class FolderInUseError(FolderError):
    """Another process works on the data folder."""


class IdentityError(StackError):
    """Postgres refuses to run as root, and there is no other user that it could run as."""


class ServerStartError(StackError):
    """A server did not start."""


class PortError(StackError):
    """The API cannot listen on the port."""
