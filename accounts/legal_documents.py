"""The texts that people agree to, and the one that tells what is kept about them.

Whoever changes a text gives it a new version, and everybody is asked again at the next sign-in; a test compares the
digests, so that a text cannot change under its version.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LegalDocument:
    """A text: `version` is the day from which it holds, `sha256` is of its template."""

    slug: str
    title: str
    version: str
    sha256: str

    @property
    def template(self) -> str:
        """The template with the text."""
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
