"""A shell in which the lines of a page are typed one after the other, as its reader types them."""

from __future__ import annotations

import re
import shlex
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import Step
from tests.transcripts.shell import Shell

SHOWN_PORT, SHOWN_CONTROL_PORT = "8831", "8832"
LAST_LINE = "export SIAS_CONTROL_URL="
"""What the last line begins with that `sectigo serve` prints when it is ready."""
END = "kill %1"
FAST = {"--addr": ":0", "--key-type": "p256", "--delay": "0"}
"""What is added to each `sectigo serve` of a page that does not say it: a free port, and keys that take no time."""
JOB = """sh -c 'trap "kill $0" TERM; tail -f /dev/null --pid=$0 & wait'"""
"""The shell's job in place of a server that was started before: it lives as long, and hands on what ends it."""
MARK = "\x1e"
TAIL = f"code=$?; printf '{MARK}%d{MARK}' $code; (exit $code)"

_CHANGING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", "(time)"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \w+", "(time)"),
    (r"\w{3} +\d+ \d\d:\d\d:\d\d \d{4} GMT", "(time)"),
    (r"\b[0-9A-F]{30,40}\b", "(serial number)"),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "(device)"),
    (r"(?<=127\.0\.0\.1:)\d+", SHOWN_PORT),
    (r"(?<=pkcs12 password: )\S+", "(password)"),
    (r"\b\d+ s left\b", "(s left)"),
    (r"\bseed \d+", "seed (seed)"),
    (r"/\S+/\.cache/", "/home/jane/.cache/"),
    (r"\b[0-9a-f]{32}(?=\.json)", "(hash)"),
    (r"(?<=CA )[0-9a-f]{8}\b", "(number)"),
    # OpenSSL before and from 3.2.
    (r"\b(O|CN) = ", r"\1="),
    (r"[ \t]+$", ""),
)


class Done(NamedTuple):
    """What one line left: its exit code, and what it showed on both streams."""

    code: int
    shown: str


class Session:
    """One page's reader: a home and a folder of their own, `sectigo` on the PATH and in `.venv/bin`."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self.shell = Shell(folder)
        self.shell.environ |= {"LC_ALL": "C.UTF-8"} | environ
        self._servers = ExitStack()
        self._server: subprocess.Popen[str] | None = None
        self._port = environ.get("SECTIGO_ENDPOINT", "").rpartition(":")[2] or SHOWN_PORT
        self._control_port = environ.get("SIAS_CONTROL_URL", "").rpartition(":")[2] or SHOWN_CONTROL_PORT
        programs = self.shell.folder / ".venv" / "bin"
        programs.parent.mkdir()
        programs.symlink_to(folder / "bin")

    def run(self, steps: list[Step]) -> list[Done]:
        """Type all lines into one shell, and return what each of them left."""
        with self._servers:
            script = "\n".join(["exec 2>&1 </dev/null", *(f"{self._line(step)}\n{TAIL}" for step in steps)])
            (self.shell.folder.parent / "script").write_text(script)
            done = subprocess.run(
                ["bash", "../script"],
                cwd=self.shell.folder,
                env=self.shell.environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            if END in [step.command.partition("  #")[0].strip() for step in steps]:
                assert self._server is not None
                assert self._server.wait(15) == 0
        left = done.stdout.split(MARK)
        assert len(left) == 2 * len(steps) + 1, done
        return [Done(int(code), shown) for shown, code in zip(left[::2], left[1::2], strict=False)]

    def _line(self, step: Step) -> str:
        words = shlex.split(step.command, comments=True)
        if words[1:2] == ["serve"] and words[-1] == "&":
            if ">" in words:
                return _typed_as_it_stands(words)
            printed, number = self._serve(words[2:])
            return f"cat {shlex.quote(str(printed))}\n{JOB} {number} >/dev/null 2>&1 &"
        command = step.command.replace(f":{SHOWN_PORT}", f":{self._port}")
        return command.replace(f":{SHOWN_CONTROL_PORT}", f":{self._control_port}")

    def _serve(self, words: list[str]) -> tuple[Path, int]:
        """Start the emulator, and return a file with what it printed, and its process; it is there at once."""
        options = [word for word in words if word != "&"]
        server = self._servers.enter_context(
            subprocess.Popen(
                ["sectigo", "serve", *options, *faster(options)],
                cwd=self.shell.folder,
                env=self.shell.environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        self._servers.callback(server.terminate)
        assert server.stdout is not None
        printed = ""
        for line in server.stdout:
            printed += line
            if line.startswith(LAST_LINE):
                break
        ports = re.findall(r"^export SECTIGO_ENDPOINT=\S+:(\d+)|^export SIAS_CONTROL_URL=\S+:(\d+)", printed, re.M)
        assert len(ports) == 2, printed
        self._port, self._control_port = ports[0][0], ports[1][1]
        path = self.shell.folder.parent / f"served-{self._port}"
        path.write_text(printed)
        self._server = server
        return path, server.pid


def faster(options: list[str]) -> list[str]:
    """Return what makes `sectigo serve` fast, without what a page's own line says."""
    said = {option.partition("=")[0] for option in options}
    return [word for name, value in FAST.items() if name not in said for word in (name, value)]


def _typed_as_it_stands(words: list[str]) -> str:
    """Return the line of a server whose output goes to a file; it does not outlive the shell."""
    place = words.index(">")
    command = shlex.join([*words[:place], *faster(words[:place])])
    return f'{command} > {shlex.quote(words[place + 1])} &\ntrap "kill $! 2>/dev/null" EXIT'


def programs(steps: list[Step]) -> set[str]:
    """Return which programs of the system these lines run."""
    return {"bash"} | {name for step in steps for name in ("openssl", "unzip", "curl") if f"{name} " in step.command}


def matches(shown: str, left: str) -> bool:
    """Whether a page shows what was left, what changes from day to day aside; `…` stands for what is left out."""
    lines = [r"(?:.*\n)*?" if line.strip() == "…" else _line(line) for line in settled(shown).split("\n")]
    return re.fullmatch("".join(lines), settled(left) + "\n") is not None


def _line(shown: str) -> str:
    return re.escape(shown).replace("…", ".*") + r"\n"


def settled(text: str) -> str:
    """Return the text with words in place of what is never the same twice."""
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text, flags=re.MULTILINE)
    return text.strip("\n")
