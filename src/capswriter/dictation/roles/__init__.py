"""Roles: a spoken prefix sends the text to a language model, whose answer comes piece by piece.

``Roles(folder).match(text)`` finds the role, and ``Asking`` its answer.
"""

from capswriter.dictation.roles.asking import Answer, Asking
from capswriter.dictation.roles.endpoint import Endpoint
from capswriter.dictation.roles.events import Event, Failed, Finished, Piece, Stopped
from capswriter.dictation.roles.folder import Match, Roles, roles_folder
from capswriter.dictation.roles.role import Role

__all__ = [
    "Answer",
    "Asking",
    "Endpoint",
    "Event",
    "Failed",
    "Finished",
    "Match",
    "Piece",
    "Role",
    "Roles",
    "Stopped",
    "roles_folder",
]
