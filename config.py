"""The settings of CapsWriter Server and its client: edit, save, start again.

A command's flag, an environment variable and a line in `.env` count before what stands here;
`capswriter config` shows every value in force and where it came from. A key that is left out has
its default, which is also what stands here as delivered.
"""

from capswriter.settings import ClientConfig, ServerConfig

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
