"""``python -m capswriter`` is the ``capswriter`` command."""

from capswriter.cli import main

if __name__ == "__main__":
    main()
