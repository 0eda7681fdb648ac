"""Every key of ``config.py``, with its kind of value, its default and its meaning."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from capswriter.settings import values  # noqa: TC001  pydantic reads the annotations when it runs


class Config(BaseModel):
    """What the two sections of ``config.py`` have in common: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    section: ClassVar[str]
    """The name ``config.py`` gives to this section."""
    prefix: ClassVar[str]
    """What stands before a key, in capitals, in the name of its environment variable."""

    @classmethod
    def is_secret(cls, key: str) -> bool:
        """Tell whether the value of ``key`` must never be shown; such fields have no ``repr``."""
        return not cls.model_fields[key].repr


class ServerConfig(Config):
    """The settings of the server; environment variables are ``CAPSWRITER_<KEY>``."""

    section = "server"
    prefix = "CAPSWRITER_"

    host: values.Host = Field(
        default="127.0.0.1",
        description="Address to listen on: 127.0.0.1 for this computer only, 0.0.0.0 for everyone.",
    )
    port: values.Port = Field(default=6016, description="TCP port; 0 takes any free one.")
    workers: values.CountOrAuto = Field(
        default="auto",
        description="Worker processes; auto takes what cores and memory allow.",
    )
    threads: values.Count = Field(default=1, description="CPU threads of each worker.")
    model: values.Model = Field(
        default="auto",
        description="Model: auto, a name of the catalogue, or a directory.",
    )
    model_dir: values.Directory = Field(
        default=None,
        description="Where models are kept; None takes the user's data directory.",
    )
    punctuation: values.Model = Field(
        default="auto",
        description="Model that punctuates for models that do not: auto takes it where it is"
        " installed; off; a name of the catalogue, or a directory.",
    )
    device: values.Device = Field(default="cpu", description="Where the model runs.")
    language: values.Language = Field(
        default="auto",
        description="Language of utterances whose client names none.",
    )
    itn: values.Switch = Field(
        default=True,
        description="Whether spoken numbers are written as numbers, where the model does not.",
    )
    spacing: values.Switch = Field(
        default=True,
        description="Whether Chinese characters and Latin letters get a space between them.",
    )
    script: values.Script = Field(
        default="keep",
        description="Chinese characters: keep (as the model writes), simplified or traditional.",
    )
    max_connections: values.Count = Field(default=200, description="Connections at once.")
    max_concurrent: values.CountOrNone = Field(
        default=None,
        description="Recognitions at once; None takes the number of workers.",
    )
    max_frame_mb: values.Count = Field(
        default=320, description="Largest WebSocket message, in megabytes."
    )
    max_audio_hours: values.Hours = Field(default=24.0, description="Longest utterance, in hours.")
    ws_timeout: values.SecondsOrNever = Field(
        default=300.0,
        description="Seconds of silence in the middle of an utterance after which its connection "
        "is closed; 0: never.",
    )
    first_message_timeout: values.SecondsOrNever = Field(
        default=0.0,
        description="Seconds until the first message on a new connection; 0: never, as dictation "
        "clients connect long before anything is said.",
    )
    handshake_timeout: values.Seconds = Field(
        default=10.0,
        description="Seconds until a new connection has to have sent its whole request.",
    )
    slow_reader_timeout: values.Seconds = Field(
        default=20.0,
        description="Seconds after which a client that reads nothing of its results is cut off.",
    )
    queue_hours: values.Hours = Field(
        default=24.0,
        description="Hours of audio from files that may wait before more files are refused.",
    )
    interactive_queue_seconds: values.Seconds = Field(
        default=120.0,
        description="Seconds of dictated audio that may wait before more is refused.",
    )
    share_per_client: values.Share = Field(
        default=0.5,
        description="How much of either queue one client may take up, of 1.",
    )
    token: values.Token = Field(
        default=None,
        repr=False,
        description="What callers have to know; None: nothing.",
    )
    token_file: values.File = Field(
        default=None,
        description="A file with the token; token counts before it.",
    )
    allow_anonymous: values.Switch = Field(
        default=False,
        description="Whether other computers may use the server without a token.",
    )
    allowed_origins: values.Origins = Field(
        default=(),
        description="Web pages of other hosts that may use the server.",
    )
    tls_cert: values.File = Field(
        default=None,
        description="Certificate chain for https and wss, PEM.",
    )
    tls_key: values.File = Field(
        default=None,
        description="Its key, PEM, where the certificate's file does not hold it.",
    )
    log_level: values.LogLevel = Field(default="info", description="The least that is logged.")
    log_file: values.File = Field(
        default=None, description="A file for the log besides; it rotates at 10 MB."
    )
    log_format: values.LogFormat = Field(
        default="text", description="Lines of the log: text, or a JSON object each."
    )


class ClientConfig(Config):
    """The settings of the client; environment variables are ``CAPSWRITER_CLIENT_<KEY>``."""

    section = "client"
    prefix = "CAPSWRITER_CLIENT_"

    server: values.Url = Field(default="ws://127.0.0.1:6016", description="URL of the server.")
    token: values.Token = Field(
        default=None,
        repr=False,
        description="What the server wants callers to know; None: nothing.",
    )
    language: values.Language = Field(default="auto", description="Language of the speech.")
    context: values.Text = Field(
        default="",
        description="Words likely to occur: names, terms, the topic.",
    )
    formats: values.Formats = Field(
        default=("txt", "srt", "json"),
        description="What is written for each file.",
    )
    output_dir: values.Directory = Field(
        default=None,
        description="Where results are written; None: beside each file.",
    )
    jobs: values.Count = Field(default=2, description="Files transcribed at once.")
    timeout: values.Seconds = Field(
        default=120.0,
        description="Seconds without a word from the server before a file counts as failed.",
    )
    log_level: values.LogLevel = Field(default="info", description="The least that is logged.")


CONFIGS: tuple[type[Config], ...] = (ServerConfig, ClientConfig)
