"""A text field in a window of its own that writes what it holds to a file.

Run by the system's Python, which has Tk: ``python3 text_field.py FILE TITLE``.
"""

import sys
import tkinter as tk
from pathlib import Path

window = tk.Tk(className="Field")
window.title(sys.argv[2])
window.geometry("500x300")
field = tk.Text(window)
field.pack(fill="both", expand=True)


def note(_event=None):
    field.edit_modified(False)
    text = field.get("1.0", "end-1c").encode("utf-16", "surrogatepass").decode("utf-16")
    new = Path(sys.argv[1] + ".new")
    new.write_text(text, encoding="utf-8")
    new.replace(sys.argv[1])


field.bind("<<Modified>>", note)
field.bind("<Shift-Return>", lambda _: field.insert("insert", "[soft]\n") or "break")
window.after(100, field.focus_force)
note()
window.mainloop()
