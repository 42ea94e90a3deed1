"""What a request is to say, read from the configuration that `openssl req -new -config FILE` takes.

Its meaning is that of openssl-req(1), its syntax that of config(5). The extensions and the hash of a request are
prescribed by TRISA; what a configuration says otherwise is told, and not followed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sectigo_iot.errors import InvalidInputError, InvalidRequestError
from sectigo_iot.pki.requesting.names import dns_name
from sectigo_iot.pki.requesting.openssl_extensions import PRESCRIBED, Findings, alternative_names, check_extensions
from sectigo_iot.pki.requesting.openssl_syntax import Configuration, Setting, place_of, read_configuration
from sectigo_iot.pki.requesting.spec import SUBJECT_FIELDS, RequestSpec, examined
from sectigo_iot.pki.requesting.typed import shown

_REQ = "req"
_IN_REQ = f"section {_REQ}"
_FIELDS = {
    "CN": "name",
    "commonName": "name",
    "O": "organization",
    "organizationName": "organization",
    "L": "locality",
    "localityName": "locality",
    "ST": "state",
    "stateOrProvinceName": "state",
    "C": "country",
    "countryName": "country",
}
_MISSPELT = {**{name.casefold(): name for name in _FIELDS}, "s": "ST", "sp": "ST", "state": "ST", "country": "C"}
_KEYS = {2048: "RSA-2048", 3072: "RSA-3072", 4096: "RSA-4096"}
_FEWEST_BITS = 2048
_PRESCRIBED_KEY = "RSA-4096"
_PRESCRIBED_HASH = "sha384"
# Read in their own places, or choosing nothing of what a request says.
_READ = ("distinguished_name", "req_extensions", "x509_extensions", "prompt", "default_bits", "default_md")
_WITHOUT_EFFECT = ("string_mask", "utf8", "oid_file", "oid_section", "encrypt_key", "encrypt_rsa_key")
_LEFT_OUT = ("attributes", "default_keyfile", "input_password", "output_password")
_OF_QUESTIONS = ("_min", "_max", "_default", "_value")


@dataclass(frozen=True, slots=True)
class OpenSSLConfig:
    """What a configuration asks for.

    `spec` is checked, but may have no names. `key` is the kind that `default_bits` chooses, such as `RSA-4096`, and
    None when it chooses none. `notes` say in words what is not taken over, and what is added, each with its place.
    """

    spec: RequestSpec
    key: str | None
    notes: tuple[str, ...]


def read_openssl_config(data: bytes, source: str = "configuration") -> OpenSSLConfig:
    """Read the names and the subject of a request from an OpenSSL configuration.

    The section `req` names the section of the subject (`distinguished_name`) and that of the extensions
    (`req_extensions`), whose `subjectAltName` has the DNS names. Where `prompt` is not `no`, each field has the
    default that openssl would offer. `source` names the file in messages.

    A configuration may leave the names to whoever reads it: then `spec.names` is empty. Raises `InvalidInputError`
    where the file cannot be read as a configuration, and `InvalidRequestError` with all faults of what it asks for,
    each with line and section: a section that is missing, a variable, a name that is not a DNS name, a CA
    certificate, an RSA key under 2048 bits, and whatever else `checked_spec` refuses.
    """
    configuration = read_configuration(data, source)
    if configuration.section(_REQ) is None:
        raise InvalidInputError(f"{source}: has no section [{_REQ}]", hint="openssl req begins with it")
    reader = _Reader(configuration)
    result = OpenSSLConfig(reader.spec(), reader.key(), tuple(reader.notes(source)))
    faults = tuple(f"{source}, {fault}" for fault in dict.fromkeys(reader.findings.faults))
    if faults:
        raise InvalidRequestError(
            faults[0] if len(faults) == 1 else f"{len(faults)} faults in {source}", faults=faults
        )
    return result


class _Reader:
    """Reads one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self.findings = Findings()
        self._configuration = configuration

    def spec(self) -> RequestSpec:
        """Return what the request is to say: right, if there are no faults."""
        fields: dict[str, Setting] = {}
        for setting in self._subject():
            self._add(setting, fields)
        common = fields.pop("name", None)
        names = self._merged(common, self._alternatives())
        values = [fields[field].value if field in fields else "" for field in SUBJECT_FIELDS]
        spec, remarks = examined(RequestSpec(tuple(name for name, _ in names), *values))
        for remark in remarks:
            at_name = remark.field not in fields and names
            place = names[remark.position][1].place if at_name else _place(fields.get(remark.field))
            self.findings.fault(place, remark.text, remark.hint)
        return spec

    def key(self) -> str | None:
        """Return the kind of key that `default_bits` chooses."""
        setting = self._setting("default_bits")
        if setting is None:
            return None
        bits = int(setting.value) if re.fullmatch("[0-9]{1,6}", setting.value) else 0
        kind = _KEYS.get(bits)
        if bits < _FEWEST_BITS:
            self.findings.fault(
                setting.place, f"default_bits is {shown(setting.value)}", "4096 is what TRISA asks for"
            )
        elif kind is None:
            self.findings.note(
                setting.place, f"default_bits is {bits}, which is left out: there are 2048, 3072, 4096"
            )
        elif kind != _PRESCRIBED_KEY:
            self.findings.note(setting.place, f"default_bits chooses {kind}, and TRISA asks for {_PRESCRIBED_KEY}")
        return kind

    def notes(self, source: str) -> Iterator[str]:
        """Each note once, those on the other settings of the section included."""
        self._note_hash()
        for setting in self._configuration.section(_REQ) or []:
            if setting.name in _LEFT_OUT:
                self.findings.note(setting.place, f"{setting.name} is left out")
            elif setting.name not in (*_READ, *_WITHOUT_EFFECT):
                self.findings.note(
                    setting.place, f"{shown(setting.name)} is no setting of openssl req{_meant(setting)}"
                )
        for note in dict.fromkeys(self.findings.notes):
            yield f"{source}, {note}"

    def _note_hash(self) -> None:
        setting = self._setting("default_md")
        if setting and setting.value.casefold().replace("-", "") != _PRESCRIBED_HASH:
            words = f"default_md is {shown(setting.value)}, which is left out: requests are signed with SHA-384"
            self.findings.note(setting.place, words)

    def _setting(self, name: str) -> Setting | None:
        setting = self._configuration.get(_REQ, name)
        if setting:
            self.findings.use(setting)
        return setting

    def _section_of(self, setting: Setting) -> list[Setting]:
        section = self._configuration.section(setting.value)
        if section is None and not setting.variable:
            self.findings.fault(
                setting.place, f"{setting.name} names the section {shown(setting.value)}, which is missing"
            )
        return section or []

    def _subject(self) -> list[Setting]:
        """Return the fields of the subject, each with its value."""
        where = self._setting("distinguished_name")
        if where is None:
            self.findings.fault(_IN_REQ, "there is no distinguished_name", "it names the section of the subject")
            return []
        settings = self._section_of(where)
        prompt = self._setting("prompt")
        return settings if prompt and prompt.value == "no" else self._answered(settings)

    def _answered(self, settings: list[Setting]) -> list[Setting]:
        """Return each field that openssl would ask for with the answer that it would offer."""
        values = {setting.name: setting for setting in settings}
        asked = [setting for setting in settings if not setting.name.endswith(_OF_QUESTIONS)]
        answers = {one.name: values.get(f"{one.name}_value") or values.get(f"{one.name}_default") for one in asked}
        if asked and not any(answers.values()):
            words = "the values here are what openssl would ask, because prompt = no is missing"
            self.findings.fault(asked[0].place, words, f"add prompt = no to [{_REQ}]")
        elif asked:
            self.findings.note(_IN_REQ, "prompt is not no: each field has the answer that openssl would offer")
        for setting in asked:
            if not answers[setting.name]:
                self.findings.note(setting.place, f"{setting.name} has no default, and is left out")
        return [replace(answer, name=name) for name, answer in answers.items() if answer]

    def _add(self, setting: Setting, fields: dict[str, Setting]) -> None:
        """Add one field of the subject to those that there are."""
        self.findings.use(setting)
        # What stands before the first of these only tells repeated fields apart: 0.organizationName.
        kind = re.split("[:,.]", setting.name, maxsplit=1)[-1] or setting.name
        field = _FIELDS.get(kind)
        meant = _MISSPELT.get(kind.lstrip("+").casefold())
        if field in fields:
            self.findings.fault(
                setting.place, f"{kind} stands on line {fields[field].line} already", "write one of them"
            )
        elif field:
            fields[field] = setting
        elif meant:
            self.findings.fault(setting.place, f"{shown(kind)} is no field of a subject", f"write {meant}")
        else:
            self.findings.note(setting.place, f"{shown(kind)} is left out: TRISA asks for CN, O, L, ST and C")

    def _alternatives(self) -> list[tuple[str, Setting]]:
        """Return the DNS names of the extensions, and tell what else these ask for."""
        where = self._setting("req_extensions")
        settings = self._section_of(where) if where else []
        self_signed = self._configuration.get(_REQ, "x509_extensions")
        if self_signed and not where:
            words = "x509_extensions counts for self-signed certificates alone, and is left out"
            self.findings.note(self_signed.place, words)
        check_extensions(settings, self.findings)
        missing = PRESCRIBED.keys() - {setting.name for setting in settings}
        if missing:
            place = place_of(where.value) if where else _IN_REQ
            self.findings.note(place, f"{', '.join(sorted(missing))} added, as TRISA prescribes")
        return alternative_names(self._configuration, settings, self.findings)

    def _merged(self, common: Setting | None, others: list[tuple[str, Setting]]) -> list[tuple[str, Setting]]:
        """Return all names with their places, the common name first, and once."""
        if common is None:
            if others:
                place = others[0][1].place
                self.findings.note(
                    place, f"there is no common name: the first DNS name, {shown(others[0][0])}, is taken"
                )
            return others
        same = next((other for other in others if _form(other[0]) == _form(common.value)), None)
        if same is None:
            self.findings.note(common.place, f"the common name {shown(common.value)} is added to the DNS names")
        return [(common.value, common), *(other for other in others if other is not same)]


def _place(setting: Setting | None) -> str:
    return setting.place if setting else _IN_REQ


def _form(name: str) -> str:
    """Return a name as it is compared: as it would stand in a certificate, if it can."""
    try:
        return dns_name(name)
    except InvalidRequestError:
        return name


def _meant(setting: Setting) -> str:
    close = difflib.get_close_matches(setting.name, (*_READ, *_WITHOUT_EFFECT, *_LEFT_OUT), 1, 0.8)
    return f" (did you mean {close[0]}?)" if close else ""
