"""What signing schemes have in common: they turn a complete request into a signed one."""

from typing import Protocol

from capably.upstream.request import Request


class Signer(Protocol):
    """A frozen value that signs requests."""

    @property
    def headers(self) -> tuple[str, ...]:
        """The headers it writes, in lower case."""
        ...

    def preview(self, request: Request) -> Request:
        """The request with a stand-in for the signature."""
        ...

    def sign(self, request: Request, now: float, nonce: str) -> Request:
        """Sign a request.

        Args:
            request: the request, complete; nothing of it may change afterwards.
            now: seconds since 1970.
            nonce: 32 hexadecimal digits that are never used again.

        Raises:
            ValueError: the key is of a kind that cannot sign.
        """
        ...
