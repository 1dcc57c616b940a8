"""The headers that tell a browser what the page may do: load and run its own files, no others."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final

_INLINE: Final = re.compile(rb"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", re.DOTALL)
_COMMON: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def headers_of(policy: str) -> dict[str, str]:
    """The headers of every answer.

    Args:
        policy: Its Content-Security-Policy.
    """
    return {**_COMMON, "Content-Security-Policy": policy}


def page_policy(html: bytes) -> str:
    """What a page may do: what is written in it runs, what a label or a file name says does not.

    Args:
        html: The page, whose scripts are known by their digests.
    """
    digests = (hashlib.sha256(each[1]).digest() for each in _INLINE.finditer(html))
    known = "".join(f" 'sha256-{base64.b64encode(each).decode()}'" for each in digests)
    # 'unsafe-eval': Gradio compiles the templates of its HTML component, which are the house's own.
    return (
        f"default-src 'self'; script-src 'self' 'unsafe-eval'{known}; "
        f"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        f"font-src 'self' data:; connect-src 'self'; "
        f"worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        f"frame-ancestors 'none'"
    )


NOTHING: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""The policy of a file that somebody sent, opened by itself."""

FORM: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""The policy of the page that asks for the password."""
