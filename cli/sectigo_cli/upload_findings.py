"""What was found of the requests of an upload: as a document, as an error, and as what else should be known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot import ProfileParameter, UploadCheck, UploadFault
    from sectigo_iot.pki import ExaminedRequest

CHECKS = ("missing-san", "repeated-san", "same-name", "same-key", "missing-subject", "refused-subject", "odd-subject")
"""The library's `UPLOAD_CHECKS`, written down because help must not load it."""
_BY_PROFILE = frozenset({"missing-subject", "refused-subject"})
_MOST_WARNINGS = 20


class Findings(NamedTuple):
    """What stands in the files, and what the checks say of it. Texts are kept by the `id` of what they are about."""

    found: tuple[ExaminedRequest, ...]
    check: UploadCheck

    @classmethod
    def of(
        cls,
        found: tuple[ExaminedRequest, ...],
        rules: Sequence[ProfileParameter] | None,
        allow: Collection[str],
    ) -> Self:
        """Check all requests that could be read, the unsound ones too."""
        from sectigo_iot import check_upload

        requests = [each.request for each in found if each.request is not None]
        return cls(found, check_upload(requests, rules, allow))

    @property
    def document(self) -> list[dict[str, Any]]:
        """All of it, one entry for each request and for each file that has none."""
        faults, warnings = self._faults(), _texts(self.check.warnings)
        return [
            {
                **_described(each),
                "faults": faults.get(id(each), []),
                "warnings": warnings.get(id(each.request), []),
            }
            for each in self.found
        ]

    def refuse_unsound(self) -> None:
        """Raise InvalidRequestError with every fault, if there is one that must be mended whatever a profile says."""
        if any(each.faults for each in self.found) or any(f.check not in CHECKS for f in self.check.faults):
            self.refuse()

    def refuse(self, profile: int | None = None) -> None:
        """Raise InvalidRequestError with every fault, if there is any; the hint says what to look at, or to allow."""
        from sectigo_iot import InvalidRequestError

        faults = self._faults()
        lines = tuple(f"{each.place}: {text}" for each in self.found for text in faults.get(id(each), ()))
        if not lines:
            return
        message = lines[0] if len(lines) == 1 else f"{len(lines)} faults, nothing was sent:"
        raise InvalidRequestError(message, faults=lines, hint=self._hint(profile))

    def say_more(self, context: Context) -> None:
        """Say what is odd, and what could not be checked."""
        for line in self.check.unchecked:
            context.note(line)
        warnings = self.check.warnings
        for warning in warnings[:_MOST_WARNINGS]:
            context.note(str(warning))
        if len(warnings) > _MOST_WARNINGS:
            context.note(f"and {len(warnings) - _MOST_WARNINGS} more like that")

    def _faults(self) -> dict[int, list[str]]:
        more = _texts(self.check.faults)
        # What stands twice in one file was found twice, in the same words.
        return {id(each): list(dict.fromkeys([*each.faults, *more.get(id(each.request), ())])) for each in self.found}

    def _hint(self, profile: int | None) -> str | None:
        checks = sorted({fault.check for fault in self.check.faults})
        hints = []
        if profile is not None and not _BY_PROFILE.isdisjoint(checks):
            hints.append(f"`sectigo profiles -i {profile} --params` lists the profile's rules")
        if {*checks} <= {*CHECKS} and not any(each.faults for each in self.found):
            hints.append(f"`{' '.join(f'--allow {check}' for check in checks)}` takes it all the same")
        return "; ".join(hints) or None


def _texts(faults: tuple[UploadFault, ...]) -> dict[int, list[str]]:
    texts: dict[int, list[str]] = {}
    for fault in faults:
        texts.setdefault(id(fault.request), []).append(fault.text)
    return texts


def _described(each: ExaminedRequest) -> dict[str, Any]:
    request = each.request
    return {
        "file": each.source,
        "request": each.position,
        "name": request.common_name if request else None,
        "dns": list(request.dns_names) if request else [],
        "keyType": request.key if request else None,
        "publicKeySHA256": request.public_key_fingerprint if request else None,
    }
