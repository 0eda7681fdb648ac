"""Wire formats: dataclasses with parse and encode, no sockets."""
