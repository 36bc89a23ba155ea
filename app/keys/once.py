"""``Idempotency-Key`` where the answer has the text of a new key, which is kept nowhere.

It is made of what the first request showed to be let in, of which the service keeps a digest alone, and of a random
text that is remembered with the rest of the answer: whoever repeats the request with the same credential is told the
same key, and neither the database nor the credential is enough to know it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app import tokens
from app.dependencies import VisitorDep
from app.errors import Conflict
from app.idempotency import Once, OnceDep
from app.keys import service
from app.tables import ApiKey

Answer = TypeVar("Answer", bound=BaseModel)

_SALT = "salt"


@dataclass(frozen=True)
class OnceWithKey:
    """Runs a piece of work that makes a key once for an idempotency key, in the transaction of the request.

    ``credential`` is the key or the cookie that the request was let in with; None while authentication is off.
    """

    once: Once
    credential: str | None

    def __call__(self, make: Callable[[str | None], Answer], *, status: int) -> Answer | JSONResponse:
        """Do the work and remember its answer but for the key's text, or give the answer remembered.

        Args:
            make: Does the work; is given the secret that the key shall have, None for any.
            status: Of the answer.

        Raises:
            Invalid: The idempotency key was used for another request.
            Conflict: The first request with it is still under way, or was let in with another credential.
        """
        if self.once.key is None:
            return make(None)
        if (first := self.once.first()) is not None:
            return JSONResponse(self._again(first.body), status_code=first.status)
        row = self.once.begin(status)
        salt = secrets.token_hex(32)
        answer = make(self._secret(salt))
        body = answer.model_dump(mode="json")
        _key_in(body)["key"] = ""
        row.body = {**body, _SALT: salt}
        return answer

    def _again(self, remembered: dict[str, Any]) -> dict[str, Any]:
        body = {name: value for name, value in remembered.items() if name != _SALT}
        secret = self._secret(remembered[_SALT])
        number = _key_in(body)["id"]
        row = self.once.session.get(ApiKey, number)
        if secret is None or row is None or not tokens.fits(secret, row.secret_sha256):
            raise Conflict(f"key {number} was made by the first request, and its text is told to nobody else")
        text = service.text_of(number, secret)
        return {**body, "key": text} if _key_in(body) is body else {**body, "key": {**body["key"], "key": text}}

    def _secret(self, salt: str) -> str | None:
        return None if self.credential is None else tokens.derive(self.credential, salt)


def _key_in(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of the new key in an answer: all of it, or a part."""
    part: dict[str, Any] = body["key"] if isinstance(body["key"], dict) else body
    return part


async def _once_with_key(once: OnceDep, visitor: VisitorDep) -> OnceWithKey:
    shown = visitor.cookie if visitor.key is None else visitor.key
    return OnceWithKey(once, shown if visitor.auth else None)


OnceWithKeyDep = Annotated[OnceWithKey, Depends(_once_with_key)]
