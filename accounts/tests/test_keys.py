"""Format and checksum of API keys."""

import string

import pytest

from accounts.errors import InvalidCredentials
from accounts.keys import ALPHABET, KEY_CHARACTERS, digest_of, display_prefix, generate_key, validated_key


def test_a_new_key_is_accepted_and_never_the_same() -> None:
    keys = {generate_key() for _ in range(200)}
    assert len(keys) == 200
    assert {validated_key(key) for key in keys} == keys
    assert {len(key) for key in keys} == {KEY_CHARACTERS}
    assert all(key.startswith("hc_") and set(key[3:]) <= set(string.ascii_letters + string.digits) for key in keys)


def test_every_single_mistyped_character_is_refused() -> None:
    key = generate_key()
    typos = [
        key[:place] + other + key[place + 1 :]
        for place in range(3, KEY_CHARACTERS)
        for other in ALPHABET[:10]
        if other != key[place]
    ]
    assert len(typos) > 300
    for typo in typos:
        with pytest.raises(InvalidCredentials) as refused:
            validated_key(typo)
        assert refused.value.reason == "malformed-key"


@pytest.mark.parametrize(
    "text", ["", "hc_", "hc_short", "x" * 41, "sk_" + "0" * 38, "hc_" + "é" * 38, "hc_" + "0" * 400]
)
def test_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidCredentials):
        validated_key(text)


def test_swapped_neighbours_are_refused() -> None:
    key = generate_key()
    place = next(place for place in range(3, 34) if key[place] != key[place + 1])
    swapped = key[:place] + key[place + 1] + key[place] + key[place + 2 :]
    with pytest.raises(InvalidCredentials):
        validated_key(swapped)


def test_the_digest_depends_on_key_and_secret() -> None:
    # HMAC-SHA256, RFC 4231, test case 2.
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert digest_of("what do ya want for nothing?", "Jefe") == expected
    assert digest_of("what do ya want for nothing?", "other") != expected


def test_display_prefix_has_eleven_characters() -> None:
    key = generate_key()
    assert display_prefix(key) == key[:11]
