"""What clients call languages, and the codes that engines know."""

from __future__ import annotations

LANGUAGES = {
    "arabic": "ar",
    "cantonese": "yue",
    "chinese": "zh",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "filipino": "tl",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "hindi": "hi",
    "hungarian": "hu",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "korean": "ko",
    "macedonian": "mk",
    "malay": "ms",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "thai": "th",
    "turkish": "tr",
    "vietnamese": "vi",
}
"""The names that clients send, and the codes that engines know."""

NAMES = {code: name for name, code in LANGUAGES.items()}


def language_code(sent: str | None) -> str:
    """Give the code of what a client sent, by name or code in any case; ``"auto"`` for nothing."""
    name = (sent or "auto").strip().lower()
    return LANGUAGES.get(name, name)
