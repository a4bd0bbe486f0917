"""Exit codes, and the error that ends a command with one line."""

from enum import IntEnum

from typer import TyperException


class ExitCode(IntEnum):
    """The numbers above 63 are those of sysexits.h."""

    OK = 0
    NO = 1
    """The answer is no: access denied, a check failed, the server refused the command."""
    USAGE = 2
    UNREACHABLE = 69
    """No answer, or "not now": the server, or MongoDB where a command goes straight to it."""
    BUG = 70
    """An answer that should not exist; the server's log has more under the request id."""
    NOT_ALLOWED = 77
    CONFIGURATION = 78


class CommandError(TyperException):
    """Ends the command: the message goes to stderr as one line, the code to the shell."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = int(code)


EPILOG = (
    "Exit codes: 0 yes, done; 1 the answer is no (access denied, a check failed, the command refused); "
    "2 wrong arguments, or --yes is missing where nobody can be asked; 69 no answer from the server or MongoDB; "
    "70 an answer that should not exist; 77 the API key is missing its scope, unknown, expired or revoked; "
    "78 a setting is missing or wrong, or the port is taken; 130 interrupted. "
    "--show-completion SHELL prints the completion of bash, zsh, fish or powershell. "
    "Commands talk to ENTITLED_URL (default http://127.0.0.1:8080/graphql) with the API key in ENTITLED_API_KEY."
)
