"""The extensions of a request as an OpenSSL configuration asks for them: x509v3_config(5).

Of a certificate's extensions the DNS names are taken over. The rest of them is prescribed by TRISA; what is asked for
beyond it is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from sectigo_iot.pki.requesting.openssl_syntax import Configuration, Setting
from sectigo_iot.pki.requesting.spec import in_brackets
from sectigo_iot.pki.requesting.typed import shown

SUBJECT_ALT_NAME = "subjectAltName"
PRESCRIBED = {
    "basicConstraints": {"CA:FALSE"},
    "keyUsage": {"digitalSignature", "keyEncipherment", "nonRepudiation"},
    "extendedKeyUsage": {"clientAuth", "serverAuth"},
}
_FOLDED = {name.casefold(): name for name in (*PRESCRIBED, SUBJECT_ALT_NAME)}
_TRUE = re.compile(r"CA:(true|y|yes)", re.IGNORECASE)


@dataclass(slots=True)
class Findings:
    """The faults and notes of one configuration, in words; each begins with its place."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def fault(self, place: str, text: str, hint: str | None = None) -> None:
        """Add a fault."""
        self.faults.append(f"{place}: {text}{in_brackets(hint)}")

    def note(self, place: str, text: str) -> None:
        """Add a note."""
        self.notes.append(f"{place}: {text}")

    def use(self, setting: Setting) -> None:
        """Tell what is to be known of a setting that is read: a variable in it, an earlier value that is lost."""
        if setting.variable:
            words = f"{setting.name} has the variable {shown(setting.variable)}, which has no value here"
            self.fault(setting.place, words, "write its value")
        if setting.replaced:
            words = (
                f"{setting.name} was set on line {setting.replaced} already: the last value counts, as for openssl"
            )
            self.note(setting.place, words)


def alternative_names(
    configuration: Configuration, settings: list[Setting], findings: Findings
) -> list[tuple[str, Setting]]:
    """Return the DNS names of the `subjectAltName` among the settings of an extension section, in order.

    Each comes with the setting in which it stands. Names of another kind are faults.
    """
    found = next((setting for setting in settings if setting.name == SUBJECT_ALT_NAME), None)
    if found is None:
        return []
    findings.use(found)
    critical, value = _without_critical(found.value)
    if critical:
        findings.note(found.place, f"{SUBJECT_ALT_NAME} is not made critical")
    items = list(_items(configuration, found, value, findings))
    return [(name, setting) for kind, name, setting in items if _is_dns(kind, name, setting, findings)]


def check_extensions(settings: list[Setting], findings: Findings) -> None:
    """Tell what an extension section asks for that is not prescribed, and what it lacks."""
    for setting in settings:
        name = _FOLDED.get(setting.name.casefold())
        if name is None:
            findings.note(setting.place, f"the extension {setting.name} is left out")
        elif name != setting.name:
            findings.fault(setting.place, f"{shown(setting.name)} is no extension", f"write {name}")
        elif name != SUBJECT_ALT_NAME:
            findings.use(setting)
            _check_prescribed(setting, findings)


def _check_prescribed(setting: Setting, findings: Findings) -> None:
    asked = {part.strip() for part in _without_critical(setting.value)[1].split(",")}
    if setting.name == "basicConstraints":
        if any(_TRUE.fullmatch(part) for part in asked):
            findings.fault(setting.place, "asks for the certificate of an authority", "write CA:FALSE")
            return
        asked = {part.upper() for part in asked}
    if asked != PRESCRIBED[setting.name]:
        prescribed = ", ".join(sorted(PRESCRIBED[setting.name]))
        findings.note(setting.place, f"{setting.name} is not what TRISA prescribes ({prescribed}), and is left out")


def _without_critical(value: str) -> tuple[bool, str]:
    found = re.match(r"critical[ \t]*,[ \t]*", value)
    return (True, value[found.end() :]) if found else (False, value)


def _items(
    configuration: Configuration, setting: Setting, value: str, findings: Findings
) -> Iterator[tuple[str, str, Setting]]:
    """Each name as (kind, name, where it stands): of the list in the value, or of the section that it refers to."""
    if not value.startswith("@"):
        for part in value.split(","):
            kind, _, name = part.partition(":")
            yield kind.strip(), name.strip(), setting
        return
    section = configuration.section(value[1:])
    if section is None:
        findings.fault(setting.place, f"there is no section {shown(value[1:])}")
    for item in section or []:
        findings.use(item)
        yield item.name, item.value, item


def _is_dns(kind: str, name: str, setting: Setting, findings: Findings) -> bool:
    # OpenSSL tells the kind by what stands before the first dot: DNS.1 is DNS.
    kind = kind.split(".")[0]
    if kind == "DNS":
        return True
    hint = (
        "write it as in DNS:example.com" if kind.upper() == "DNS" or not name else "only DNS names can be asked for"
    )
    findings.fault(setting.place, f"{shown(f'{kind}:{name}' if name else kind)} is no DNS name", hint)
    return False
