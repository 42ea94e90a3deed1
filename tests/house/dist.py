"""What is released, built, looked into, and tried as whoever installs it would: `make dist`.

The wheel is built from the sdist. It is installed into a new environment, where the demo and the tests run with it;
`pip install .` and `pip install -e .` go to environments of their own. All but `dist/` is in a temporary folder.
"""

from __future__ import annotations

import configparser
import email
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).parents[2]
DIST = ROOT / "dist"
NOT_RELEASED = (".ci/", ".gitignore")
MADE = ("PKG-INFO", "sectigo_iot.egg-info/")
"""What an sdist holds beside the files of the checkout."""
PAGE = "share/man/man1/sectigo.1"
BEGAN = time.monotonic()


def main(tools: str) -> int:
    """Do it all, with the Python that has `build` and `twine`."""
    sdist, wheel = build(tools)
    check_sdist(sdist)
    check_wheel(wheel)
    say(f"{sdist.name} and {wheel.name} hold what they should")
    with tempfile.TemporaryDirectory(prefix="sectigo-dist-") as name:
        work = Path(name)
        work.chmod(0o755)  # a test becomes another user, who must read what is installed
        trees = [unpack(sdist, work / use) for use in ("wheel", "plain", "editable")]
        keep_in_git(trees[2])
        ways = [[f"{wheel}[test]"], [str(trees[1])], ["-e", str(trees[2])]]
        with ThreadPoolExecutor() as pool:
            environments = list(pool.map(install, ways, [tree.parent / "environment" for tree in trees]))
        check_installed(environments[0], site_packages(environments[0]))
        check_plain(environments[1])
        check_editable(environments[2], trees[2])
        say("installed from the wheel, by `pip install .` and by `pip install -e .`, the command works")
        demo(environments[0], work)
        say("the demo works with the wheel; the tests against it:")
        return tests(environments[0], trees[0])


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"dist: {text} ({time.monotonic() - BEGAN:.0f} s)", flush=True)


WORKERS = str(min(4, (os.cpu_count() or 2) + 1))
"""As in the Makefile."""


def fail(why: str) -> NoReturn:
    """End, and say why."""
    sys.exit(f"dist: failed: {why}")


def check(true: object, why: str) -> None:
    """Fail unless it is true."""
    if not true:
        fail(why)


def check_same(what: str, found: set[str], expected: set[str]) -> None:
    """Fail where two sets of names differ."""
    check(found == expected, f"{what}: missing {sorted(expected - found)}, too much {sorted(found - expected)}")


def run(command: list[str], *, code: int = 0, cwd: Path = ROOT) -> str:
    """Run a program in silence, and return what it printed. Fails unless it ends as it should."""
    # The packages that count are those which are installed, wherever it runs.
    hidden = ("PYTHONPATH", "PYTHONPYCACHEPREFIX", "MYPY_CACHE_DIR")
    environ = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**environ, "PYTHONSAFEPATH": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    check(done.returncode == code, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def build(tools: str) -> tuple[Path, Path]:
    """Build both, and leave nothing else behind; a warning of what will not work for long is a failure."""
    forget("dist", "build", "sectigo_iot.egg-info")
    try:
        said = run([tools, "-m", "build", "--outdir", str(DIST), str(ROOT)])
    finally:
        forget("build", "sectigo_iot.egg-info")
    check("deprecat" not in said.lower() and "WARNING" not in said, f"the build warns:\n{said}")
    (sdist,), (wheel,) = DIST.glob("*.tar.gz"), DIST.glob("*.whl")
    run([tools, "-m", "twine", "--no-color", "check", "--strict", str(sdist), str(wheel)])
    return sdist, wheel


def forget(*names: str) -> None:
    """Remove what a build leaves in the checkout."""
    for name in names:
        shutil.rmtree(ROOT / name, ignore_errors=True)


def check_sdist(sdist: Path) -> None:
    """Hold the sdist against the checkout: all of it, and nothing else."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in (member.name for member in archive if member.isfile())}
    found = {name for name in names if not name.startswith(MADE)}
    for name in ("Makefile", "CHANGELOG.md", "LICENSE", "ruff.toml", "cli/manpage.py", "examples/demo.py"):
        check(name in found, f"the sdist has no {name}")
    if (ROOT / ".git").exists():
        files = run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"]).splitlines()
        check_same("sdist", found, {name for name in files if not name.startswith(NOT_RELEASED)})


def check_wheel(wheel: Path) -> None:
    """Hold the wheel against the two packages, and read what it says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        names, texts = set(archive.namelist()), {name: archive.read(name).decode() for name in archive.namelist()}
    name = "-".join(wheel.name.split("-")[:2])
    info = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}
    expected = {f"{name}.dist-info/{file}" for file in info} | {f"{name}.data/data/{PAGE}"}
    for package in (ROOT / "sectigo_iot", ROOT / "cli" / "sectigo_cli"):
        # Modules, and what they read: worlds, scenarios, the page.
        files = [each for ending in ("*.py", "*.toml", "*.html", "py.typed") for each in package.rglob(ending)]
        expected |= {file.relative_to(package.parent).as_posix() for file in files}
    check_same("wheel", names, expected)
    check(texts[f"{name}.dist-info/top_level.txt"].split() == ["sectigo_cli", "sectigo_iot"], "top level")
    check("sectigo create" in texts[f"{name}.data/data/{PAGE}"], "the manual page explains no command")
    check_metadata(texts[f"{name}.dist-info/METADATA"])


def check_metadata(text: str) -> None:
    """Hold what an index shows against setup.cfg."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    shown = email.message_from_string(text)
    for field, key in (("Name", "name"), ("Version", "version"), ("Summary", "description"), ("Author", "author")):
        check(shown[field] == setup["metadata"][key], f"{field}: {shown[field]}")
    check(shown["License-Expression"] == "MIT" and "License ::" not in text, "the licence is not told by SPDX")
    check(shown["Description-Content-Type"] == "text/markdown", "the description is not Markdown")
    check(shown.get_payload() == (ROOT / "README.md").read_text(), "the description is not the README")


def unpack(sdist: Path, folder: Path) -> Path:
    """Unpack into a folder of its own; return the tree."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def keep_in_git(tree: Path) -> None:
    """Make the tree a checkout, if this is one; it shows what an installation leaves in it."""
    if (ROOT / ".git").exists():
        shutil.copy(ROOT / ".gitignore", tree)
        run(["git", "init", "--quiet"], cwd=tree)
        run(["git", "add", "--all"], cwd=tree)


def install(what: list[str], environment: Path) -> Path:
    """Make a new environment, and install into it."""
    run([sys.executable, "-m", "venv", str(environment)])
    run([str(environment / "bin" / "python"), "-m", "pip", "install", "--no-compile", *what])
    return environment


def check_installed(environment: Path, folder: Path) -> None:
    """Look whether the command works, and whether both packages are in this folder."""
    python, sectigo = str(environment / "bin" / "python"), str(environment / "bin" / "sectigo")
    run([python, "-m", "pip", "check"])
    for command in ([sectigo], [python, "-m", "sectigo_cli"]):
        said = run([*command, "--version"])
        check(said.startswith("sectigo "), f"{command}: {said}")
    code = "import sectigo_iot, sectigo_cli; print(sectigo_iot.__file__, sectigo_cli.__file__)"
    for place in run([python, "-c", code]).split():
        check(Path(place).is_relative_to(folder), f"{place} is not in {folder}")


def site_packages(environment: Path) -> Path:
    """Return where an environment keeps what is installed."""
    return next(environment.glob("lib/python*/site-packages"))


def check_plain(environment: Path) -> None:
    """Look at what `pip install .` gives: no emulator, which the command says in one line, with what would help."""
    check_installed(environment, site_packages(environment))
    check((environment / PAGE).is_file(), "there is no manual page")
    error, hint = run([str(environment / "bin" / "sectigo"), "serve"], code=1).splitlines()
    check(error == "sectigo: error: the emulator is not installed", error)
    check("pip install 'sectigo-iot[emulator]'" in hint, hint)


def check_editable(environment: Path, tree: Path) -> None:
    """Look at what `pip install -e .` gives, and whether the checkout is as clean as before."""
    check_installed(environment, tree)
    if (tree / ".git").exists():
        status = run(["git", "status", "--porcelain", "--untracked-files=all"], cwd=tree).splitlines()
        dirty = [line for line in status if not line.startswith("A ")]
        check(not dirty, f"`pip install -e .` leaves {dirty}")


def demo(environment: Path, folder: Path) -> None:
    """Run the demo, which is no part of the wheel, with what is installed."""
    shutil.copy(ROOT / "examples" / "demo.py", folder)
    run([str(environment / "bin" / "python"), str(folder / "demo.py")], cwd=folder)


def tests(environment: Path, tree: Path) -> int:
    """Run the tests of the tree against what is installed; what they say comes last."""
    words = ["-q", "-o", "pythonpath=", "-n", WORKERS, "--dist", "loadfile"]
    environ = {**os.environ, "PYTHONPYCACHEPREFIX": "", "MYPY_CACHE_DIR": str(tree.parent / "mypy")}
    return subprocess.run([environment / "bin" / "pytest", *words], cwd=tree, env=environ, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
