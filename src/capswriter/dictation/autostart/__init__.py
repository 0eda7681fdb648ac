"""Starting dictation when the user logs in.

``install(command)``, ``remove()`` and ``status()`` for this computer; what each system wants is in
``linux``, ``windows`` and ``macos``, as pure functions that make its text.
"""

from capswriter.dictation.autostart.base import AutostartRefused, Entry
from capswriter.dictation.autostart.choose import install, remove, status

__all__ = ["AutostartRefused", "Entry", "install", "remove", "status"]
