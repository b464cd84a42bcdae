"""Versions of the terms of use, the disclaimer and the privacy notice.

A changed text needs a new version, and users accept it at their next sign-in. A test compares the digests, so a text
cannot change without a new version.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LegalDocument:
    """A document: `version` is the date it takes effect, `sha256` the digest of its template."""

    slug: str
    title: str
    version: str
    sha256: str

    @property
    def template(self) -> str:
        """Path of the template with the text."""
        return f"accounts/texts/{self.slug}.html"


TERMS = LegalDocument(
    "terms", "Terms of use", "2026-12-01", "0ede67edd6d0609531c1c54adae35ef57db0c5f1bad328286709f4027852e84b"
)
DISCLAIMER = LegalDocument(
    "disclaimer", "Disclaimer", "2026-12-01", "23ee0b5936fdbe7ff6cc152d60673a33e2b70907566df03e8e2fdc294c887615"
)
PRIVACY = LegalDocument(
    "privacy",
    "Privacy",
    "2026-12-01",
    "b9762c55f77420b5991e1970767f246a44a6ca9daafa5ce654dbb30a5a08aaee",
)

LEGAL_DOCUMENTS = {document.slug: document for document in (TERMS, DISCLAIMER, PRIVACY)}
REQUIRED_DOCUMENTS = (TERMS, DISCLAIMER)
