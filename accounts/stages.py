"""What a person has to do between proving who they are and being signed in."""

from allauth.account.stages import LoginStage
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.selectors import lacks_agreement


class AgreementStage(LoginStage):
    """Asks for the terms and the disclaimer when the person has not accepted today's versions."""

    key = "agreement"
    urlname = "accounts:agreement"

    def handle(self) -> tuple[HttpResponse | None, bool]:
        """A page to go to, if there is something to agree to; in both cases the sign-in may go on."""
        if lacks_agreement(self.login.user):
            return HttpResponseRedirect(reverse(self.urlname)), True
        return None, True
