"""How Alpha Vantage writes symbols, and which exchanges it means by their last part or by a region. Pure."""

import re

from marketdata.errors import ProviderRejected

NAME = "alpha_vantage"
# Its suffix: ours (which is Yahoo's) and the exchange's MIC, empty where there is no calendar for it.
EXCHANGES = {
    "LON": ("L", "XLON"),
    "DEX": ("DE", "XETR"),
    "FRK": ("F", "XFRA"),
    "TRT": ("TO", "XTSE"),
    "TRV": ("V", "XTSX"),
    "PAR": ("PA", "XPAR"),
    "AMS": ("AS", "XAMS"),
    "SHH": ("SS", "XSHG"),
    "SHZ": ("SZ", ""),
    "BSE": ("BO", "XBOM"),
    "SAO": ("SA", "BVMF"),
}
SUFFIXES = {ours: theirs for theirs, (ours, _) in EXCHANGES.items()}
# Stocks of this region have no suffix; which of its exchanges lists them is not told, and they share a calendar.
HOME_REGION, HOME_MIC = "United States", "XNYS"


def to_vendor_symbol(symbol: str) -> str:
    """The vendor's spelling: share classes with a dash, exchanges with its own suffixes; raises ProviderRejected.

    An exchange that the vendor does not serve is refused here, because it would answer about another stock.
    """
    if re.fullmatch(r"[A-Z0-9]+", symbol):
        return symbol
    if re.fullmatch(r"[A-Z0-9]+[.\-/][A-E]", symbol):
        return re.sub(r"[./]", "-", symbol)
    named = re.fullmatch(r"([A-Z0-9\-]+)\.([A-Z]+)", symbol)
    if named is not None and named[2] in EXCHANGES:
        return symbol
    if named is None or named[2] not in SUFFIXES:
        raise ProviderRejected(NAME, f"{symbol} is not a symbol that it serves")
    return f"{named[1]}.{SUFFIXES[named[2]]}"


def parse_listing(symbol: str, region: str) -> tuple[str, str]:
    """What we call the vendor's symbol, and the MIC of its exchange, empty where that is not known."""
    stem, _, suffix = symbol.rpartition(".")
    if stem and suffix in EXCHANGES:
        ours, mic = EXCHANGES[suffix]
        return f"{stem}.{ours}", mic
    return re.sub(r"-([A-E])$", r".\1", symbol), HOME_MIC if region == HOME_REGION else ""
