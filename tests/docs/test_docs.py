"""What the documentation shows is run, and what it lists is there."""

import inspect
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import sectigo_iot
from sectigo_cli import exits
from sectigo_iot import ENDPOINTS, IoTManager, Repeat, errors

ROOT = Path(__file__).parents[2]


def code_blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / document).read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.needs("openssl")
def test_the_embedding_example_leads_from_a_request_to_a_verified_chain(tmp_path: Path) -> None:
    (example,) = code_blocks("docs/embedding.md", "python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 15
    subprocess.run(
        [
            *("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-subj", "/CN=node.example.com", "-addext", "subjectAltName=DNS:node.example.com"),
            *("-keyout", "node.key", "-out", "node.csr"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    names: dict[str, object] = {}
    exec(example, names)
    issue = names["issue"]
    assert callable(issue)
    chain = issue((tmp_path / "node.csr").read_bytes())
    assert chain.count(b"BEGIN CERTIFICATE") >= 2
    (tmp_path / "chain.pem").write_bytes(chain)
    shown = subprocess.run(
        ["openssl", "x509", "-in", "chain.pem", "-noout", "-subject"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "node.example.com" in shown


def test_the_table_of_names_is_that_of_the_client() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (.+?) \| `?([\w ]*)`? \|$", (ROOT / "docs/python.md").read_text(), re.MULTILINE
    )
    methods = {call: re.findall(r"`(\w+)\(([^)]*)\)", python) for _, python, call in rows if call in ENDPOINTS}
    assert set(methods) == {name for name, endpoint in ENDPOINTS.items() if endpoint.typed}
    for shown in methods.values():
        for method, arguments in shown:
            parameters = list(inspect.signature(getattr(IoTManager, method)).parameters)[1:]
            wanted = [a.strip() for a in arguments.split(",") if a.strip()]
            assert parameters[: len(wanted)] == wanted, method


def test_every_error_of_the_table_is_public() -> None:
    text = (ROOT / "docs/python.md").read_text()
    for name in re.findall(r"\| `(\w+Error)` \|", text):
        assert name in sectigo_iot.__all__


def test_the_tree_of_errors_is_the_one_in_the_code() -> None:
    tree = re.search(r"::\n\n(.*)", inspect.getdoc(errors) or "", re.DOTALL)
    assert tree is not None
    drawn = textwrap.dedent(tree.group(1)).strip()
    assert drawn in (ROOT / "docs/errors.md").read_text()
    for name in re.findall(r"(\w+Error)\b", drawn):
        assert issubclass(getattr(errors, name), errors.SectigoError)
    defined = {n for n, v in vars(errors).items() if inspect.isclass(v) and issubclass(v, errors.SectigoError)}
    assert defined == set(re.findall(r"[├└]── (\w+)", drawn)) | {"SectigoError"}


def test_the_tree_is_drawn_as_it_grows() -> None:
    lines = (inspect.getdoc(errors) or "").split("::\n\n")[1].splitlines()
    above: list[str] = []
    for line in lines:
        found = re.match(r"( *(?:[│ ]   )*(?:[├└]── )?)(\w+Error)", line)
        assert found is not None, line
        depth = (len(found.group(1)) - 4) // 4
        above = above[:depth]
        if above:
            assert getattr(errors, above[-1]) in getattr(errors, found.group(2)).__mro__
        above.append(found.group(2))


@pytest.mark.parametrize(
    "document", sorted(str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
)
def test_links_lead_somewhere(document: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / document).read_text()):
        assert (ROOT / document).parent.joinpath(target).exists(), target


def test_the_demo_works() -> None:
    done = subprocess.run([sys.executable, ROOT / "examples" / "demo.py"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "demo: all of it worked" in done.stdout


def test_the_tables_of_calls_are_those_of_the_code() -> None:
    text = (ROOT / "docs/endpoints.md").read_text()
    known = re.findall(r"^\| `(\w+)` \| ([A-Z]+) \| `(\S+)` \| (.+) \| ([AB]) \|$", text, re.MULTILINE)
    unknown = re.findall(r"^\| `(\w+)` \| `(\S+)` \|$", text, re.MULTILINE)
    words = {Repeat.FREELY: "yes", Repeat.IF_UNSENT: "if unsent", Repeat.NEVER: "never"}
    calls = ENDPOINTS.values()
    assert known == [(e.name, e.method, e.path, words[e.repeat], e.sure) for e in calls if e.typed]
    assert unknown == [(e.name, e.path) for e in calls if not e.typed]
    assert {e.sure for e in calls if not e.typed} == {"D"}
    assert [int(n) for n in re.findall(r"^##? (?:The )?(\d+) ", text, re.MULTILINE)] == [53, len(known), len(unknown)]


CODES = {
    str(code): name.lower().replace("_", " ")
    for name, code in vars(exits).items()
    if name[0].isupper() and name.isupper() and type(code) is int and code < 128
}
"""Each exit code, and the words that its meaning begins with: those of its constant."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def check_meanings(page: str, rows: list[tuple[str, str]], meanings: dict[str, str]) -> None:
    assert [code for code, _ in rows] == list(meanings), f"{page}: the exit codes are those of exits.py, in its order"
    for code, said in rows:
        assert said.startswith(meanings[code]), f"{page}: what {code} means begins with {meanings[code]!r}"


def test_the_exit_codes_mean_what_the_code_says() -> None:
    rows = re.findall(r"^\| (\d[\d, ]*) \| \**([a-z ]+)", (ROOT / "docs/errors.md").read_text(), re.MULTILINE)
    signals = ", ".join(str(128 + number) for number in SIGNALS)
    check_meanings("docs/errors.md", rows, {**CODES, signals: "interrupted"})


def test_the_manual_page_has_the_same_exit_codes() -> None:
    text = (ROOT / "cli/manpage.roff").read_text().partition("[exit status]\n")[2].partition("\n[")[0]
    rows = re.findall(r"^\.TP\n\.B (\d+)\n([a-z ]+)", text, re.MULTILINE)
    check_meanings("cli/manpage.roff", rows, CODES)
    for number in SIGNALS:
        assert f"{128 + number} for {number.name}" in text.replace("\n", " ")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.SectigoError("x"), 1),
        (errors.ConfigError("x"), 2),
        (errors.ForbiddenHostError("x", host="y"), 2),
        (errors.InvalidInputError("x"), 2),
        (errors.TargetExistsError("x", path="y"), 2),
        (errors.NoCredentialsError("x"), 4),
        (errors.MustUseTLSAuthError("x", location=None), 4),
        (errors.InvalidCredentialsError(401), 4),
        (errors.NotAuthorizedError(403), 1),
        (errors.NotAuthorizedError(403, action="authenticate"), 4),
        (errors.NotFoundError(404), 1),
        (errors.UnreachableError("x"), 1),
        (errors.DeadlineError("x"), 1),
        (errors.InvalidReplyError("x"), 1),
        (errors.OutcomeUnknownError("x"), 5),
        (errors.NotReadyError("x", batch_id=1), 8),
        (errors.BatchFailedError("x", batch_id=1), 1),
        (errors.BundleError("x"), 1),
        (OSError(28, "No space left on device"), 1),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exits.exit_code(error) == code
