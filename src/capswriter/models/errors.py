"""The errors of the model store; each is one line that names the command which mends it."""

from __future__ import annotations

from capswriter.errors import UserError


class ModelMissing(UserError):
    """The model, or one of its files, is not in the store."""


class ModelCorrupt(UserError):
    """A file of the model is not the published one."""


class DownloadFailed(UserError):
    """No source gave the model."""


class StoreUnusable(UserError):
    """The store's directory cannot be read or written."""
