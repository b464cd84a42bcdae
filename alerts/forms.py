"""Form that creates an alert rule."""

from typing import Any, ClassVar

from django import forms

from alerts.models import Rule
from alerts.services.rules import RuleRequest
from marketdata.errors import SymbolMalformed, SymbolUnknown
from marketdata.models import Instrument
from marketdata.selectors import instrument_by_symbol
from predictions.conf import DEFAULT_HORIZON, HORIZONS
from predictions.models import Forecast

NO_PRICE = "Enter a price above 0."


class RuleForm(forms.Form):
    """A symbol and one condition; fields that the condition does not need are ignored."""

    symbol = forms.CharField(
        max_length=15, help_text="For example AAPL.", error_messages={"required": "Enter a stock symbol."}
    )
    kind = forms.ChoiceField(label="Alert me when", choices=Rule.Kind.choices)
    signal = forms.ChoiceField(choices=[(signal, signal) for signal in Forecast.Signal.values], required=False)
    horizon_sessions = forms.TypedChoiceField(
        label="Horizon",
        coerce=int,
        empty_value=None,
        required=False,
        initial=DEFAULT_HORIZON,
        choices=[(h, f"{h} trading day{'' if h == 1 else 's'}") for h in HORIZONS],
    )
    threshold = forms.DecimalField(
        label="Price",
        required=False,
        min_value=0,
        max_digits=24,
        decimal_places=12,
        help_text="In the stock's currency.",
        error_messages={"min_value": NO_PRICE, "invalid": "Enter the price as a number, such as 180.50."},
    )
    required_fields: ClassVar[dict[str, tuple[str, ...]]] = {
        Rule.Kind.SIGNAL_BECOMES: ("signal", "horizon_sessions"),
        Rule.Kind.PRICE_ABOVE: ("threshold",),
        Rule.Kind.PRICE_BELOW: ("threshold",),
    }
    missing_messages: ClassVar[dict[str, str]] = {
        "signal": "Choose a signal.",
        "horizon_sessions": "Choose a forecast horizon.",
        "threshold": NO_PRICE,
    }

    def clean_symbol(self) -> Instrument:
        """Return the instrument of the symbol, in any accepted notation."""
        try:
            return instrument_by_symbol(self.cleaned_data["symbol"])
        except SymbolUnknown as error:
            hint = f" Did you mean {', '.join(error.suggestions)}?" if error.suggestions else ""
            raise forms.ValidationError(f"{error}{hint}") from error
        except SymbolMalformed as error:
            raise forms.ValidationError(str(error)) from error

    def clean(self) -> dict[str, Any]:
        """Require the fields of the chosen condition."""
        cleaned = super().clean() or {}
        for name in self.required_fields.get(cleaned.get("kind", ""), ()):
            if not cleaned.get(name) and name not in self.errors:
                self.add_error(name, self.missing_messages[name])
        return cleaned

    def rule_request(self) -> RuleRequest:
        """Return the rule to create; requires a valid form."""
        chosen = self.cleaned_data
        fields = {name: chosen[name] for name in self.required_fields[chosen["kind"]]}
        return RuleRequest(instrument=chosen["symbol"], kind=chosen["kind"], **fields)
