"""What every value that the service answers has in common: frozen, read field by field, the document kept whole.

Not dataclasses: with what they import and the code that they write they would be a tenth of the time that a command
with one request takes.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Never, NoReturn, Self, TypeVar, overload

from sectigo_iot.errors import InvalidReplyError

if TYPE_CHECKING:
    from collections.abc import Callable

Value = TypeVar("Value")


class Field(Generic[Value]):
    """A field of an answer: its key in the document, and how what stands there is read."""

    def __init__(self, key: str, read: Callable[[Any], Value], *, shown: bool = True) -> None:
        self.key = key
        self.read = read
        self.shown = shown
        self.__doc__ = f"The document's `{key}`."

    def __set_name__(self, owner: type[Answer], name: str) -> None:
        self.name = name

    @overload
    def __get__(self, answer: None, owner: type[Answer]) -> Self: ...

    @overload
    def __get__(self, answer: Answer, owner: type[Answer]) -> Value: ...

    def __get__(self, answer: Answer | None, owner: type[Answer]) -> Self | Value:
        if answer is None:
            return self
        value: Value = answer._values[self.name]
        return value

    def __set__(self, answer: Answer, value: Never) -> NoReturn:
        raise AttributeError(f"a {type(answer).__name__} is frozen: {self.name} cannot be set")


class Answer:
    """A document of the service, read. Two are equal where all that was read of them is."""

    __slots__ = ("_document", "_values")
    _fields: ClassVar[tuple[Field[Any], ...]] = ()
    _document: Any
    _values: dict[str, Any]

    def __init_subclass__(cls) -> None:
        found = (field for each in reversed(cls.__mro__) for field in vars(each).values() if isinstance(field, Field))
        cls._fields = tuple({field.name: field for field in found}.values())

    def __init__(self, _: Never, /) -> None:
        raise TypeError(f"a {type(self).__name__} is made by read() from a document")

    @classmethod
    def read(cls, document: Any) -> Self:
        """Read a document. Raises InvalidReplyError where it is no such thing."""
        if not isinstance(document, dict):
            raise InvalidReplyError(f"the service sent {_kind(document)} where a {cls.__name__} is due")
        answer = cls.__new__(cls)
        object.__setattr__(answer, "_document", document)
        object.__setattr__(answer, "_values", {field.name: cls._value(field, document) for field in cls._fields})
        return answer

    @classmethod
    def _value(cls, field: Field[Value], document: dict[str, Any]) -> Value:
        try:
            return field.read(document.get(field.key))
        except (ValueError, OverflowError):
            raise InvalidReplyError(f"the service sent a {cls.__name__} without a usable {field.key}") from None

    @classmethod
    def read_list(cls, document: Any) -> tuple[Self, ...]:
        """Read a list of documents. Raises InvalidReplyError."""
        if not isinstance(document, list):
            raise InvalidReplyError(f"the service sent {_kind(document)} where a list of {cls.__name__} is due")
        return tuple(cls.read(item) for item in document)

    @classmethod
    def read_any(cls, document: Any) -> tuple[Self, ...]:
        """Read a list of documents where null means none. Raises InvalidReplyError."""
        return () if document is None else cls.read_list(document)

    @property
    def document(self) -> Any:
        """A copy of the document as the server sent it: every field, in its order."""
        return copy.deepcopy(self._document)

    def as_dict(self) -> dict[str, Any]:
        """Return what was read, by the names of the attributes."""
        return dict(self._values)

    def __setattr__(self, name: str, value: Never) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a {type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return (
            self._values == other._values
            if isinstance(other, Answer) and type(other) is type(self)
            else NotImplemented
        )

    def __hash__(self) -> int:
        # What is a list or a mapping has no hash, and is compared all the same.
        return hash((type(self), *(value for value in self._values.values() if isinstance(value, int | str))))

    def __repr__(self) -> str:
        shown = ", ".join(f"{field.name}={self._values[field.name]!r}" for field in self._fields if field.shown)
        return f"{type(self).__name__}({shown})"

    def __reduce__(self) -> tuple[Callable[[Any], Self], tuple[Any]]:
        return type(self).read, (self._document,)


def _kind(document: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", type(None): "null"}.get(type(document), "a number")
