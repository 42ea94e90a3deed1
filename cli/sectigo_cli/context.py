"""What a command works with: streams, settings and client, each made when it is first used."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sectigo_cli.trace import Trace
    from sectigo_iot import Exchange, IoTManager, Settings

from sectigo_cli.endings import Endings
from sectigo_cli.env_file import names_variables, read_env_file, remarks
from sectigo_cli.options import UsageError

SHORT = 8
"""Characters below which a word or a number may stand in any line, where a gap would tell that it is a secret."""


class Context:
    """One run of the command."""

    def __init__(self) -> None:
        # Where a shell has closed stdin or stderr, Python has None.
        self.stdin: TextIO = sys.stdin or io.TextIOWrapper(io.BytesIO())
        self.stdout: TextIO = sys.stdout
        self.stderr: TextIO = sys.stderr or io.StringIO()
        self.heard = sys.stderr is not None
        """Whether what is said to the user has somewhere to go."""
        self.at_prompt = False
        """Whether the user interrupted a question."""
        self.endings = Endings()
        self.completed: Callable[[str], str] = lambda text: text
        """What makes command lines in a text name all that they are about, where that is not what is usual here."""
        self.options = argparse.Namespace()
        self._environ: Mapping[str, str] | None = None
        self._settings: Settings | None = None
        self._client: IoTManager | None = None
        self._trace: Trace | None = None
        self._secrets: set[str] = set()
        self._opened = contextlib.ExitStack()

    def close(self) -> None:
        """Close what was opened."""
        self._client = None
        self._opened.close()

    def begin_trace(self) -> None:
        """Keep what is exchanged from now on, if --trace asks for it. Raises UsageError for a file that cannot be."""
        if self.options.trace is not None:
            from sectigo_cli.trace import Trace

            self._trace = Trace(self, self.options.trace)
            self._opened.callback(self._trace.write)

    def say(self, text: str) -> None:
        """Talk to the user, on stderr; secrets and control characters that a server sent are made harmless."""
        encoding = self.stderr.encoding or "utf-8"
        shown = harmless(self.completed(self.hidden(text))).encode(encoding, "backslashreplace").decode(encoding)
        # In one piece: what several threads say would mix.
        self.stderr.write(f"{shown}\n")
        self.stderr.flush()

    def note(self, text: str) -> None:
        """Say something that the user should know, and that is no error."""
        self.say(f"sectigo: {text}")

    def hidden(self, text: str) -> str:
        """Return a text without what this run has sent as a secret: a server may repeat it much later."""
        if not self._secrets:
            return text
        from sectigo_iot import redacted

        # A copy, which is made in one go: other threads may add to it meanwhile.
        return redacted(text, frozenset(self._secrets))

    def _observe(self, exchange: Exchange) -> None:
        words = (secret for secret in exchange.secrets if secret.isalpha() or secret.isdigit())
        self._secrets.update({*exchange.secrets} - {word for word in words if len(word) < SHORT})
        if self._trace is not None:
            self._trace.observe(exchange)

    @property
    def interactive(self) -> bool:
        """Whether somebody sits at a terminal and can be asked."""
        return self.stdin.isatty() and self.stderr.isatty()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment, with what --env-file says in front of it."""
        if self._environ is None:
            self._environ = {**os.environ, **self._env_file()}
        return self._environ

    def _env_file(self) -> dict[str, str]:
        path: str | None = self.options.env_file
        if path is None:
            if names_variables(".env"):
                self.note("the .env in this folder names SECTIGO_ variables; it is read only with --env-file .env")
            return {}
        values = read_env_file(path)
        for remark in remarks(path, list(values)):
            self.note(remark)
        return values

    @property
    def settings(self) -> Settings:
        """The settings: arguments, then the environment, then the defaults."""
        if self._settings is None:
            from sectigo_cli.talk import listening
            from sectigo_iot import Settings

            options = self.options
            self._opened.enter_context(listening(self))
            self._settings = Settings(
                options.username,
                options.login_password,
                options.profile,
                options.endpoint,
                options.environment,
                allowed_host=options.allow_host,
                ca_file=options.ca_file,
                client_cert=options.client_cert,
                client_key=options.client_key,
                timeout=options.request_timeout,
                download_timeout=options.download_timeout,
                use_keyring=True,
                prompt=self.ask if self.interactive else None,
                observer=self._observe,
                environ=self.environ,
            )
        return self._settings

    @property
    def client(self) -> IoTManager:
        """The client, one for the whole run."""
        if self._client is None:
            from sectigo_iot import IoTManager

            self.endings.be_prompt()
            self._client = IoTManager(self.settings)
            self._opened.callback(self._client.close)
        return self._client

    @property
    def given_profile(self) -> str | None:
        """The profile that the user asked for, if any; the default is nobody's wish."""
        settings = self.settings
        return settings.profile if settings.sources.get("profile") != "default" else None

    def ask(self, question: str, secret: bool = False) -> str:
        """Ask the user, who sits at a terminal; what is secret is not shown as it is typed. Ctrl-D is no answer.

        Raises UsageError for what is no text.
        """
        try:
            return self._typed_unseen(question) if secret else self._typed(question).strip()
        except UnicodeError:
            raise UsageError("what was typed is no text in the terminal's encoding") from None
        except EOFError:
            self.say("")
            return ""
        except KeyboardInterrupt:
            self.at_prompt = True
            raise

    def _typed_unseen(self, question: str) -> str:
        import getpass

        return getpass.getpass(question, self.stderr)

    def _typed(self, question: str) -> str:
        print(question, end="", file=self.stderr, flush=True)
        line = self.stdin.readline()
        if not line:
            raise EOFError
        return line

    def confirm(self, question: str) -> bool:
        """Ask a question that only `y` or `yes` affirms."""
        return self.ask(f"{question} [y/N] ").lower() in ("y", "yes")


def harmless(text: str) -> str:
    """Return the text without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
