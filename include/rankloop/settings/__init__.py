"""Configuration, one module a concern; `load_settings` reads all of it once for a process."""

from rankloop.settings.root import PREFIX, Settings, SettingsError, load_settings, variable

__all__ = ["PREFIX", "Settings", "SettingsError", "load_settings", "variable"]
