"""Signatures over what a run claims: DSSE envelopes (dsse v1), ed25519, one key per user that no sandbox can reach.

The key lies in the user's state folder, which is mounted nowhere. Signing needs the extra `signed` (securesystemslib); without it
a claim is written unsigned, and says so.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autosota.errors import MachineError, UsageError

KEY = "signing-key.pem"
HINT = "pip install 'autosota[signed]'"


def available() -> bool:
    """Is the library for signatures installed?"""
    try:
        import securesystemslib.signer  # noqa: F401
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: F401
    except ImportError:
        return False
    return True


def sign(payload: bytes, payload_type: str, state: Path) -> dict[str, Any]:
    """The DSSE envelope of `payload`, signed with the key in `state`, which is made at the first use (mode 0600).

    Raises MachineError without the library, or where the key cannot be read.
    """
    if not available():
        raise MachineError("signatures need a library that is not installed", HINT)
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, payload_type, {})
    envelope.sign(_signer(state))
    return dict(envelope.to_dict())


def public_key(state: Path) -> dict[str, Any]:
    """The public half as securesystemslib writes it, with its `keyid`."""
    public = _signer(state).public_key
    return {"keyid": public.keyid, **public.to_dict()}


def opened(envelope: Mapping[str, Any], key: Mapping[str, Any]) -> bytes:
    """The payload of an envelope whose signature by `key` holds. Raises UsageError where it does not, or is no envelope."""
    if not available():
        raise MachineError("checking a signature needs a library that is not installed", HINT)
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError, VerificationError
    from securesystemslib.signer._key import Key

    try:
        fields = dict(key)
        public = Key.from_dict(str(fields.pop("keyid")), fields)
        parsed = Envelope.from_dict(json.loads(json.dumps(envelope)))
        parsed.verify([public], 1)
    except VerificationError:
        raise UsageError("the signature does not belong to this content and key", "the bundle or its key was changed") from None
    except (KeyError, ValueError, TypeError, FormatError) as error:
        raise UsageError(f"no signed statement: {error}", "give a run directory or a bundle as autosota wrote it") from None
    return bytes(parsed.payload)


def _signer(state: Path) -> Any:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from securesystemslib.signer._crypto_signer import CryptoSigner

    path = state / KEY
    if not path.exists():
        state.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{KEY}.{os.getpid()}")
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(pem)
        with contextlib.suppress(FileExistsError):  # the first of two processes wins
            os.link(draft, path)
        draft.unlink()
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise MachineError(f"the signing key {path} cannot be read: {error}", "delete it: a new one is then made") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise MachineError(f"the signing key {path} is no ed25519 key", "delete it: a new one is then made")
    return CryptoSigner(private)
