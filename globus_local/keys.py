import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"
KEY_ID = "globus-local"
KEY_BITS = 2048


class SigningKey:
    """The key pair behind id tokens; a new one at every start."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)

    def sign(self, claims: dict[str, Any]) -> str:
        """A signed JWT of `claims`."""
        return jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"kid": KEY_ID})

    def build_jwks(self) -> dict[str, Any]:
        """The public half, as `/jwk.json` shows it (RFC 7517)."""
        public: dict[str, Any] = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**public, "kid": KEY_ID, "alg": ALGORITHM, "use": "sig"}]}
