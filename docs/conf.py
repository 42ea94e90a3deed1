"""How Sphinx builds these pages: `make docs`. Nothing is fetched from the network, now or by whoever reads them."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PACKAGE = Path(__file__).parents[1] / "sectigo_iot"
sys.path.insert(0, str(PACKAGE.parent))

from sectigo_iot.answers import Field  # noqa: E402 - found by the line above

MODULES = ("sectigo_iot", "sectigo_iot.pki", "sectigo_iot.orders", "sectigo_iot.revocation", "sectigo_iot.emulator")
PUBLIC = {name: f"{module}.{name}" for module in MODULES for name in import_module(module).__all__}
"""Every public name of ours, and where it stands in the reference."""

project = "sectigo-iot"
copyright = "the sectigo-iot maintainers, MIT licence"  # noqa: A001 - Sphinx's own name for it
release = version = import_module("sectigo_iot").__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"sectigo-iot {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_copy_source = html_show_sphinx = False

default_role = "literal"
smartquotes = False  # it would make dashes of the options' hyphens
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "undoc-members": True}
python_use_unqualified_type_names = True
maximum_signature_line_length = 80

autodoc_type_aliases = {"PrivateKeyTypes": "PrivateKeyTypes"}
nitpick_ignore_regex = [
    # In signatures stand types of the standard library, cryptography and requests; their manuals are on the network.
    ("py:.*", r"(collections|contextlib|cryptography|datetime|os|pathlib|requests|threading|x509)\..+"),
    ("py:.*", r"AbstractContextManager|Path|PrivateKeyTypes"),
    # And types of ours that nobody needs by name: of what the emulator takes and has, what a token store keeps, and
    # what of a client's settings an order needs.
    ("py:.*", r"sectigo_iot\.emulator\.\w+\.(Account|Options)"),
    ("py:.*", r"sectigo_iot\.refusals\.Refusals"),
    ("py:.*", r"sectigo_iot\.orders\.protocols\.Timeouts"),
]

SAID = {
    r"<(?:built-in )?function (?:\w+\.)*(\w+)(?: [^>]*)?>": r"\1",
    r"<function [^>]*<lambda>[^>]*>": "...",
    r"~?(?:batches\.|sectigo_iot\.api\.batches\.)Progress": str(import_module("sectigo_iot.api.batches").Progress),
    **{
        rf"~?(?:batches\.|sectigo_iot\.[\w.]+\.)?\b{name}\b": str(
            getattr(import_module("sectigo_iot.orders.protocols"), name)
        )
        for name in ("BeforeSend", "Deliver", "OnEvent")
    },
    # What Python calls its lock before 3.13, and after.
    r"_thread\.(?:allocate_lock|lock)": "threading.Lock",
    r"collections\.abc\.": "",
}
"""What stands in a signature, and what is said in its place: functions by name, types as they are meant."""


def setup(app: Sphinx) -> None:
    """Let names in docstrings and signatures lead to the reference, and shorten what says nothing."""
    app.connect("autodoc-process-docstring", link_names)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("missing-reference", find_public)


def link_names(_app: Sphinx, what: str, name: str, thing: object, _options: object, lines: list[str]) -> None:
    """Turn `name` in backticks, and a bare NameError, into a link where it is public and not what is explained."""
    if isinstance(thing, Field):
        lines[:] = [f"``{_type_of(thing)}``. {lines[0]}"]
    if what == "data" or any(line.startswith("Alias for field number") for line in lines):
        lines.clear()  # it explains the type, or nothing
    lines[:] = [NAME.sub(lambda found: _linked(found, name), line) for line in lines]


def _type_of(field: Field[Any]) -> str:
    """Return the type of a reply's field: what the function that reads it returns."""
    owner = getattr(field.read, "__self__", type(None))
    return str(inspect.signature(field.read).return_annotation).replace("Self", owner.__name__)


NAME = re.compile(r"(?<!`)`(?:[\w.]+\.)?(\w+)`(?!`)|\b(\w+Error)\b")


def _linked(found: re.Match[str], where: str) -> str:
    word = found[1] or found[2]
    target = PUBLIC.get(word, "")
    if where.startswith(PUBLIC["IoTManager"]) and word in dir(import_module(MODULES[0]).IoTManager):
        target = f"{PUBLIC['IoTManager']}.{word}"
    return f":py:obj:`{word} <{target}>`" if target and target != where else found[0]


def shorten_signature(
    _app: Sphinx, _what: str, _name: str, thing: object, _options: object, arguments: str | None, result: str | None
) -> tuple[str, str | None] | None:
    """Show no arguments that are told elsewhere: as members, as fields, with the error above; the rest as said."""
    if isinstance(thing, type) and _told_elsewhere(thing):
        return "", None
    if arguments is None:
        return None
    for found, said in SAID.items():
        arguments, result = re.sub(found, said, arguments), result and re.sub(found, said, result)
    return arguments, result


def _told_elsewhere(thing: type) -> bool:
    inherited = issubclass(thing, Exception) and "__init__" not in vars(thing)
    return inherited or issubclass(thing, enum.Enum) or dataclasses.is_dataclass(thing)


def find_public(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: Element) -> Element | None:
    """Lead `models.Batch`, or sectigo_iot.models.Batch, to the public name."""
    where, _, name = node["reftarget"].rpartition(".")
    ours = not where or where.startswith("sectigo_iot") or (PACKAGE / f"{where}.py").exists()
    target = PUBLIC.get(name) if ours else None
    if node["refdomain"] != "py" or target is None or target == node["reftarget"]:
        return None
    domain: Any = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", target, node, content)
