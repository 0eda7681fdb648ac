"""Every key of ``config.py``, with its kind of value, its default and its meaning."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from capswriter.settings import values  # noqa: TC001  pydantic reads the annotations when it runs


class Config(BaseModel):
    """What the sections of ``config.py`` have in common: frozen, and no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    section: ClassVar[str]
    """The name ``config.py`` gives to this section."""
    is_required: ClassVar[bool] = True
    """Whether ``config.py`` must have it."""
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


class DictationConfig(Config):
    """The settings of dictation; environment variables are ``CAPSWRITER_DICTATION_<KEY>``.

    The server, its token, the language and the context are the client's.
    """

    section = "dictation"
    prefix = "CAPSWRITER_DICTATION_"
    is_required = False

    shortcuts: values.Shortcuts = Field(
        default=("caps_lock:hold",),
        description="Keys or mouse buttons, each with its mode: hold, toggle or auto.",
    )
    keys: values.KeysBackend = Field(
        default="auto", description="How keys are listened to; none leaves it to commands."
    )
    threshold: values.SecondsFromZero = Field(
        default=0.3, description="Seconds from which on a press is held; under it, it is a tap."
    )
    longest: values.Seconds = Field(
        default=3600.0, description="Seconds after which a dictation stops by itself."
    )
    microphone: values.Microphone = Field(
        default="warm", description="Whether the microphone stays open: warm or on-demand."
    )
    device: values.InputDevice = Field(
        default=None, description="Which microphone; None follows the system's default."
    )
    pre_roll: values.SecondsFromZero = Field(
        default=0.3, description="Seconds before the key went down that belong to a dictation."
    )
    tail: values.SecondsFromZero = Field(
        default=0.2, description="Seconds after the key came up that belong to it."
    )
    output: values.Output = Field(default="type", description="How text leaves.")
    newlines: values.Newlines = Field(default="enter", description="What line breaks are typed as.")
    enter_after: values.Switch = Field(
        default=False, description="Whether Enter is pressed after a text."
    )
    strip_final: values.Switch = Field(
        default=False, description="Whether punctuation at the end of a text is left out."
    )
    applications: values.Applications = Field(
        default=(), description="What is done differently in which application."
    )
    follow_focus: values.Switch = Field(
        default=False,
        description="Whether a text goes where the focus is, not where it was at key-up.",
    )
    late: values.Late = Field(
        default="keep", description="What becomes of a late text: keep (in the history) or type."
    )
    late_after: values.Seconds = Field(
        default=30.0, description="Seconds after key-up from which on a text is late."
    )
    hotwords: values.Place = Field(default="auto", description="The file of hotwords.")
    rules: values.Place = Field(default="auto", description="The file of rules.")
    bare_up_to: values.CountFromZero = Field(
        default=8, description="Words up to which a text loses a full stop or comma at its end."
    )
    roles: values.Place = Field(default="auto", description="The folder of roles.")
    role_url: values.TextOrNone = Field(
        default=None, description="Language model of roles that name none: its base URL."
    )
    role_model: values.TextOrNone = Field(default=None, description="Its name there.")
    role_key_env: values.TextOrNone = Field(
        default=None, description="The environment variable with its key."
    )
    role_key_file: values.TextOrNone = Field(default=None, description="The file with its key.")
    history_days: values.Days = Field(
        default=7.0, description="Days for which delivered dictations stay in the history."
    )
    archive: values.Switch = Field(
        default=False, description="Whether dictations are kept in a folder of yours."
    )
    archive_folder: values.Directory = Field(
        default=None, description="That folder; None: CapsWriter in your documents."
    )
    archive_recordings: values.Switch = Field(
        default=True, description="Whether their recordings are kept there too."
    )
    archive_days: values.Days = Field(
        default=None, description="Days after which recordings are removed there."
    )
    sounds: values.Switch = Field(
        default=True, description="Whether a quiet sound tells of start and stop."
    )
    volume: values.Volume = Field(default=0.1, description="How loud it is.")
    tray: values.Switch = Field(default=True, description="Whether there is an icon in the tray.")
    notifications: values.Switch = Field(
        default=True, description="Whether the desktop tells of trouble."
    )
    local: values.Switch = Field(
        default=False, description="Whether to start a server where none answers."
    )
    broadcast: values.Targets = Field(
        default=(), description="Where finished texts are sent by UDP."
    )
    udp_control: values.Target = Field(
        default=None, description="Where commands by UDP are listened for."
    )
    udp_token: values.Token = Field(
        default=None, repr=False, description="What who sends commands has to know."
    )
    log_level: values.LogLevel = Field(
        default="error", description="The least that is logged besides what is shown."
    )
    log_file: values.File = Field(
        default=None, description="A file for the log besides; it rotates at 10 MB."
    )


CONFIGS: tuple[type[Config], ...] = (ServerConfig, ClientConfig, DictationConfig)
