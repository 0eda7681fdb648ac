"""Connection to a server and transcription of files."""
