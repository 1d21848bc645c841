"""The error for an invalid configuration."""


class SettingsError(Exception):
    """The configuration is invalid; the message names the setting and the expected value."""
