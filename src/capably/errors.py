"""Errors for whoever runs a command: a sentence, what to do, and the exit code."""

EXIT_FAILED = 1
EXIT_USAGE = 2


class CommandError(Exception):
    """A command that cannot go on. ``help_lines`` say what to do; ``exit_code`` is 1 (failed) or 2 (usage)."""

    def __init__(self, message: str, *help_lines: str, exit_code: int = EXIT_FAILED) -> None:
        """Keep the message, which names the thing that is wrong."""
        super().__init__(message)
        self.message = message
        self.help_lines = help_lines
        self.exit_code = exit_code
