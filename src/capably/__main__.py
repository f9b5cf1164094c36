"""``python -m capably`` is the ``capably`` command."""

from capably.cli import main

if __name__ == "__main__":
    main()
