"""What `sectigo completion` prints, read by the shells themselves, in the way that its help tells."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Runner
from tests.packages import PYTHONPATH

LINES = {
    "sectigo lic": {"licenses"},
    "sectigo create --d": {"--domain", "--dns", "--dry-run", "--download", "--download-timeout", "--deploy-hook"},
    "sectigo --verbose create --dom": {"--domain"},
    "sectigo -u jim create --pass": {"--password", "--password-file", "--password-out"},
    "sectigo find --env-f": {"--env-file"},
    "sectigo -E sta": {"staging"},
    "sectigo find -E do": {"docker"},
    "sectigo serve --account m": {"manual"},
    "sectigo profile --par": {"--params"},
    "sectigo revoke -r keyC": {"keyCompromise"},
    "sectigo csr --key-type P-": {"P-256", "P-384"},
    "sectigo unpack --form": {"--format"},
    "sectigo unpack req": {"request.csr"},
    "sectigo call batchDet": {"batchDetail"},
    "sectigo help rev": {"revoke"},
    "sectigo completion f": {"fish"},
    "sectigo upload -p 42 req": {"request.csr"},
    "sectigo upload request.csr -p 42 other.csr req": {"request.csr"},
    "sectigo download -i 24 -o fol": {"folder"},
}
"""A line as far as it is typed, and what may stand in place of its last word."""

BASH = """\
%s
while read -r COMP_LINE; do
  read -ra COMP_WORDS <<<"$COMP_LINE"
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_POINT=${#COMP_LINE} COMPREPLY=()
  _shtab_sectigo sectigo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
  echo "${COMPREPLY[*]}"
done
"""
FISH = """\
%s
while read line
  echo (complete -C "$line" | string replace -r '\\t.*' '')
end
"""
ZSH = """\
zmodload zsh/zpty
zpty -b z zsh -f -i
zpty -w z 'autoload -U compinit; compinit -u -D; bindkey "^I" complete-word'
zpty -w z '%s'
zpty -w z 'sectigo() { print "TY""PED<$@[-1]>" }; print "REA""DY"'
zpty -r z line "*READY*"
while read -r line; do
  zpty -w -n z "$line"$'\\t\\n'
  zpty -r z line "*TYPED<*>*"
  print -r -- ${${line##*TYPED<}%%>*}
done
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with something to complete, and a program `sectigo` in another."""
    (tmp_path / "here" / "folder").mkdir(parents=True)
    (tmp_path / "here" / "request.csr").touch()
    (tmp_path / "sectigo").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sectigo_cli "$@"\n')
    (tmp_path / "sectigo").chmod(0o755)
    return tmp_path / "here"


def told(sectigo: Runner, shell: str) -> str:
    """Return the line that help tells to add to what a shell reads when it starts."""
    (line,) = re.findall(rf"^  {shell} .*?  +((?:source|eval|sectigo) .*)$", sectigo("help", "completion").out, re.M)
    return str(line)


def answers(sectigo: Runner, shell: str, program: str, folder: Path, lines: list[str]) -> list[str]:
    """Return what the shell says to each line."""
    (folder.parent / "program").write_text(program.replace("%s", told(sectigo, shell)))
    ran = subprocess.run(
        [shell, "../program"],
        input="".join(f"{line}\n" for line in lines),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "PATH": f"{folder.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stderr == ""
    return ran.stdout.splitlines()


@pytest.mark.needs("bash")
def test_bash(sectigo: Runner, folder: Path) -> None:
    said = answers(sectigo, "bash", BASH, folder, list(LINES))
    assert [set(words.split()) for words in said] == list(LINES.values())


@pytest.mark.needs("fish")
def test_fish(sectigo: Runner, folder: Path) -> None:
    said = answers(sectigo, "fish", FISH, folder, list(LINES))
    assert [{word.rstrip("/") for word in words.split()} for words in said] == list(LINES.values())


@pytest.mark.needs("zsh")
def test_zsh(sectigo: Runner, folder: Path) -> None:
    """zsh shows what is possible only on its screen, so what is typed has one completion each."""
    single = {line: words for line, words in LINES.items() if len(words) == 1}
    assert [{word} for word in answers(sectigo, "zsh", ZSH, folder, list(single))] == list(single.values())


@pytest.mark.needs("bash")
def test_only_folders_where_a_folder_is_wanted(sectigo: Runner, folder: Path) -> None:
    assert answers(sectigo, "bash", BASH, folder, ["sectigo download -i 24 -o req"]) == [""]
