"""What dictation needs of this computer: whether it is there, and what is to be mended."""

from capswriter.dictation.doctor.checks import CHECKS
from capswriter.dictation.doctor.examine import Check, Finding, examine
from capswriter.dictation.doctor.needs import Needs

__all__ = ["CHECKS", "Check", "Finding", "Needs", "examine"]
