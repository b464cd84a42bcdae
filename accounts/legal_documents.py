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
    "terms", "Terms of use", "2026-11-25", "76b6b5303025b9b4a1539e0f0faac5fdc92307b7ef83d85ac5d3c801034b3560"
)
DISCLAIMER = LegalDocument(
    "disclaimer", "Disclaimer", "2026-11-25", "d225b9d0ee1345a5c8934eaa1e1baf5ad3860363b56a27180e193c139c4478f1"
)
PRIVACY = LegalDocument(
    "privacy",
    "What is kept about you",
    "2026-11-25",
    "65b793090a0ad85bcdc9bf6f178971923024777b64bcc3762bbd60b54daace01",
)

LEGAL_DOCUMENTS = {document.slug: document for document in (TERMS, DISCLAIMER, PRIVACY)}
REQUIRED_DOCUMENTS = (TERMS, DISCLAIMER)
