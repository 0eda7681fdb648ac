"""The settings of CapsWriter Server and its client: edit, save, start again.

A command's flag, an environment variable and a line in `.env` count before what stands here;
`capswriter config` shows every value in force and where it came from. A key that is left out has
its default, which is also what stands here as delivered.
"""

from capswriter.settings import ClientConfig, DictationConfig, ServerConfig

# The server: python start_server.py
server = ServerConfig(
    # Address to listen on: 127.0.0.1 for this computer only, 0.0.0.0 for the whole network.
    host="127.0.0.1",
    # TCP port, 0 to 65535; 0 takes any free one.
    port=6016,
    # Worker processes, each with the model loaded once: a number, or "auto" for as many as cores
    # and memory allow. More workers recognise more utterances at the same time.
    workers="auto",
    # CPU threads of each worker. Several workers with one thread each do more than one with many.
    threads=1,
    # Model: "auto", a name of the catalogue (capswriter models), or a directory.
    model="auto",
    # Where models are kept; None for the user's data directory.
    model_dir=None,
    # Model that punctuates for models that do not (Paraformer): "auto" takes "punctuation" where it
    # is installed; "off", the name of one, or a directory.
    punctuation="auto",
    # Where the model runs: "cpu", "cuda" (an NVIDIA GPU), or "auto".
    device="cpu",
    # Language of utterances whose client names none: "auto", or a code such as "zh", "en", "yue".
    language="auto",
    # True writes spoken numbers as numbers in final results (二十三 as 23), where the model does
    # not do so itself; False leaves them as words.
    itn=True,
    # True sets a space between Chinese characters and Latin letters in final results: 用 Python 写.
    spacing=True,
    # Chinese characters of final results: "keep" (as the model writes), "simplified" or
    # "traditional".
    script="keep",
    # Connections at once; the next one is refused.
    max_connections=200,
    # Recognitions at once; None for the number of workers.
    max_concurrent=None,
    # Largest WebSocket message, in megabytes.
    max_frame_mb=320,
    # Longest utterance, in hours of audio.
    max_audio_hours=24.0,
    # A connection that stays silent in the middle of an utterance for so many seconds is closed;
    # 0: never.
    ws_timeout=300.0,
    # A new connection that sends no message for so many seconds is closed; 0: never, as clients of
    # CapsWriter connect when they start, and the first dictation may be hours away.
    first_message_timeout=0.0,
    # A new connection that has not sent its whole request after so many seconds is closed.
    handshake_timeout=10.0,
    # A client that reads nothing of its results for so many seconds is cut off.
    slow_reader_timeout=20.0,
    # Hours of audio from files that may wait; beyond it, further files are told to come later.
    queue_hours=24.0,
    # Seconds of dictated audio that may wait; beyond it, further dictation is told to come later.
    interactive_queue_seconds=120.0,
    # How much of either queue one client may take up: 0.5 is half of it, 1 all.
    share_per_client=0.5,
    # What callers have to know; None: nothing. Better in CAPSWRITER_TOKEN or in token_file.
    token=None,
    # A file that holds the token and nothing else; what token says counts before it.
    token_file=None,
    # True lets other computers use the server without a token.
    allow_anonymous=False,
    # Web pages that may use the server besides its own: ("https://intranet.example",). Behind a
    # proxy, the address that browsers see.
    allowed_origins=(),
    # Certificate chain (PEM) for wss:// and https://; None: neither.
    tls_cert=None,
    # Its key (PEM); None: it is in the file of the certificate.
    tls_key=None,
    # The least that is logged: "debug", "info", "warning" or "error".
    log_level="info",
    # A file for the log besides the terminal, or None; it rotates at 10 MB, and five are kept.
    log_file=None,
    # Lines of the log: "text", or "json" for an object each.
    log_format="text",
)

# The client: python start_client.py speech.mp3
client = ClientConfig(
    # URL of the server: ws://host:port, or wss://host:port behind TLS.
    server="ws://127.0.0.1:6016",
    # The server's token; None: it has none. Better in CAPSWRITER_CLIENT_TOKEN than here.
    token=None,
    # Language of the speech: "auto", or a code such as "zh", "en", "yue".
    language="auto",
    # Words likely to occur, such as names, terms or the topic; models that can make use of them do.
    context="",
    # What is written for each file: any of "txt", "srt", "vtt", "lrc", "json".
    formats=("txt", "srt", "json"),
    # Where results are written; None for beside each file.
    output_dir=None,
    # Files transcribed at once.
    jobs=2,
    # Seconds without a word from the server before a file counts as failed.
    timeout=120.0,
    # The least that is logged: "debug", "info", "warning" or "error".
    log_level="info",
)

# Dictation: python start_client.py, or capswriter dictate. The server, its token, the language and
# the context are the client's above.
dictation = DictationConfig(
    # Keys or mouse buttons, each with its mode: "hold" (push to talk), "toggle", or "auto" (a tap
    # toggles, a hold is push to talk): ("caps_lock:hold", "mouse_x2:auto").
    shortcuts=("caps_lock:hold",),
    # How keys are listened to: "auto", "x11", "evdev" (Wayland), "pynput" (Windows, macOS), or
    # "none": capswriter dictate --toggle, called by the desktop's own shortcut, does it then.
    keys="auto",
    # A press under so many seconds is the key's own in hold mode: Caps Lock toggles capitals.
    threshold=0.3,
    # A dictation that nobody has stopped after so many seconds stops by itself.
    longest=3600.0,
    # "warm": the microphone stays open, so that the first syllable is there; "on-demand": it is
    # open while you dictate, and no longer.
    microphone="warm",
    # Which microphone: a part of its name, or its number (capswriter devices); None follows the
    # system's default.
    device=None,
    # Seconds before the key went down that belong to a dictation.
    pre_roll=0.3,
    # Seconds after the key came up that belong to it.
    tail=0.2,
    # How text leaves: "type", "paste", "clipboard" or "stdout".
    output="type",
    # What line breaks are typed as: "enter", "shift-enter" or "space".
    newlines="enter",
    # True presses Enter after a text.
    enter_after=False,
    # True leaves out punctuation at the end of a text.
    strip_final=False,
    # What is done differently where: ({"window_class": "*code*", "output": "paste"},). The window
    # is told by window_class, process and title (patterns with * and ?); what may differ is output,
    # paste_keys ("ctrl+v", "ctrl+shift+v", "shift+insert" or "cmd+v"), newlines, enter_after and
    # strip_final.
    applications=(),
    # False: a text goes to the window that had the focus when the key came up, or nowhere; True: it
    # goes to whatever has the focus when it comes.
    follow_focus=False,
    # What becomes of a text that comes late, as the server was away: "keep" it in the history, or
    # "type" it.
    late="keep",
    # From how many seconds after the key came up on a text is late.
    late_after=30.0,
    # The file of hotwords: "auto" (hot.txt beside this file, or in your configuration directory),
    # "off", or a path.
    hotwords="auto",
    # The file of rules: "auto" (hot-rule.txt, likewise), "off", or a path.
    rules="auto",
    # Words up to which a text loses a full stop or comma at its end; a Chinese character counts as
    # one; 0 leaves every mark.
    bare_up_to=8,
    # The folder of roles, whose spoken prefix sends a text to a language model: "auto" (roles
    # beside this file, or in your configuration directory), "off", or a path.
    roles="auto",
    # Language model of roles that name none: "http://127.0.0.1:11434/v1"; None: each names its own.
    role_url=None,
    # What it is called there.
    role_model=None,
    # The environment variable that holds its key, if it wants one.
    role_key_env=None,
    # A file that holds its key and nothing else.
    role_key_file=None,
    # Days for which delivered dictations stay in the history (capswriter history); None: for ever.
    # What was not delivered always stays.
    history_days=7.0,
    # True keeps dictations in a folder of yours: recordings, and a diary in Markdown.
    archive=False,
    # That folder; None: CapsWriter in your documents.
    archive_folder=None,
    # False keeps the diary alone.
    archive_recordings=True,
    # Days after which recordings are removed there; None: never.
    archive_days=None,
    # A quiet sound at start and stop.
    sounds=True,
    # How loud it is, up to 1.
    volume=0.1,
    # An icon in the tray, where there is one.
    tray=True,
    # The desktop tells of trouble; what is shown in the terminal tells of it in any case.
    notifications=True,
    # True starts a server in the background where none answers.
    local=False,
    # Where finished texts are sent by UDP: ("127.0.0.1:6017",); behind it "/plain" sends the bare
    # text, JSON otherwise.
    broadcast=(),
    # Where START, STOP, CANCEL and TOGGLE by UDP are listened for: "127.0.0.1:6018", or None.
    udp_control=None,
    # What has to stand before such a command; other computers need it (16 characters or more).
    udp_token=None,
    # The least that is logged besides what is shown: "debug", "info", "warning" or "error".
    log_level="error",
    # A file for the log besides, or None; it rotates at 10 MB, and five are kept.
    log_file=None,
)
