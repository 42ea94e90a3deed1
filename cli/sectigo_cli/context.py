"""What a command works with: streams, settings and client, each made when it is first used."""

from __future__ import annotations

import argparse
import io
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sectigo_iot import IoTManager, Settings

from sectigo_cli.options import UsageError


class Context:
    """One run of the command."""

    def __init__(self) -> None:
        # Where a shell has closed stdin or stderr, Python has None.
        self.stdin: TextIO = sys.stdin or io.TextIOWrapper(io.BytesIO())
        self.stdout: TextIO = sys.stdout
        self.stderr: TextIO = sys.stderr or io.StringIO()
        self.options = argparse.Namespace()
        self._environ: Mapping[str, str] | None = None
        self._settings: Settings | None = None
        self._client: IoTManager | None = None
        self._handler: logging.Handler | None = None

    def close(self) -> None:
        """Close what was opened."""
        if self._client is not None:
            self._client.close()
            self._client = None
        if self._handler is not None:
            logger = logging.getLogger("sectigo_iot")
            logger.removeHandler(self._handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
            self._handler = None

    def say(self, text: str) -> None:
        """Talk to the user, on stderr; control characters that a server sent are made harmless."""
        encoding = self.stderr.encoding or "utf-8"
        print(harmless(text).encode(encoding, "backslashreplace").decode(encoding), file=self.stderr, flush=True)

    def note(self, text: str) -> None:
        """Say something that the user should know, and that is no error."""
        self.say(f"sectigo: {text}")

    @property
    def interactive(self) -> bool:
        """Whether somebody sits at a terminal and can be asked."""
        return self.stdin.isatty() and self.stderr.isatty()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment, with what --env-file says in front of it."""
        if self._environ is None:
            chosen = self.options.env_file
            if chosen is None:
                self._mention_env_file()
            self._environ = {**os.environ, **(_read_env_file(chosen) if chosen is not None else {})}
        return self._environ

    def _mention_env_file(self) -> None:
        try:
            with Path(".env").open(encoding="utf-8", errors="replace") as file:
                found = re.search(r"^\s*(?:export\s+)?SECTIGO_\w+\s*=", file.read(1 << 16), re.MULTILINE)
        except OSError:
            return
        if found:
            self.note("the .env in this folder names SECTIGO_ variables; it is read only with --env-file .env")

    @property
    def settings(self) -> Settings:
        """The settings: arguments, then the environment, then the defaults."""
        if self._settings is None:
            from sectigo_iot import Settings

            options = self.options
            self._listen()
            self._settings = Settings(
                options.username,
                options.login_password,
                options.profile,
                options.endpoint,
                options.environment,
                allowed_host=options.allow_host,
                use_keyring=True,
                prompt=self.ask if self.interactive else None,
                environ=self.environ,
            )
        return self._settings

    @property
    def client(self) -> IoTManager:
        """The client, one for the whole run."""
        if self._client is None:
            from sectigo_iot import IoTManager

            self._client = IoTManager(self.settings)
        return self._client

    @property
    def given_profile(self) -> str | None:
        """The profile that the user asked for, if any; the default is nobody's wish."""
        settings = self.settings
        return settings.profile if settings.sources.get("profile") != "default" else None

    def ask(self, question: str, secret: bool = False) -> str:
        """Ask the user, who sits at a terminal; what is secret is not shown while it is typed."""
        if secret:
            import getpass

            return getpass.getpass(question, self.stderr)
        print(question, end="", file=self.stderr, flush=True)
        return self.stdin.readline().strip()

    def confirm(self, question: str) -> bool:
        """Ask a question that only `y` or `yes` affirms."""
        return self.ask(f"{question} [y/N] ").lower() in ("y", "yes")

    def _listen(self) -> None:
        """Let the library's log speak on stderr: what needs saying, and with --verbose each request."""
        self._handler = _Talk(self)
        logger = logging.getLogger("sectigo_iot")
        logger.addHandler(self._handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def harmless(text: str) -> str:
    """Return the text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


class _Talk(logging.Handler):
    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        notable = record.levelno >= logging.WARNING or getattr(record, "notice", False)
        if notable or self._context.options.verbose:
            self._context.note(record.getMessage())


def _read_env_file(path: str) -> dict[str, str]:
    from dotenv import dotenv_values

    try:
        with Path(path).open(encoding="utf-8") as file:
            values = dotenv_values(stream=file, interpolate=False)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"the file {path} given with --env-file cannot be read: {reason}") from None
    return {name: value for name, value in values.items() if name.startswith("SECTIGO_") and value is not None}
