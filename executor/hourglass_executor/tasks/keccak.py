"""Keccak-256, Ethereum's hash: not the SHA-3 that was standardised later. Pure."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()
