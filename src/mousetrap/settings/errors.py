"""What can be wrong with the configuration."""


class SettingsError(Exception):
    """The configuration cannot be used; the message names the setting and what it should be."""
