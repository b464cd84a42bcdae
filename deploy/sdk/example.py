"""Use the generated Python client: python example.py URL"""

import json
import sys

from hindcast_client import Client
from hindcast_client.api.forecasts import predict
from hindcast_client.api.ledger import ledger_entries
from hindcast_client.api.market_data import prices, symbols
from hindcast_client.api.record import history, metrics
from hindcast_client.models import Forecast, History, Metrics, PredictHorizon, Prices, Problem, Symbols

client = Client(base_url=sys.argv[1])
forecast = predict.sync(client=client, symbol="AAPL", horizon=PredictHorizon.VALUE_5)
assert isinstance(forecast, Forecast)
past = history.sync("AAPL", client=client, days=90, limit=10)
assert isinstance(past, History)
record = metrics.sync(client=client)
assert isinstance(record, Metrics)
found = symbols.sync(client=client, search="aple")
assert isinstance(found, Symbols)
bars = prices.sync("AAPL", client=client, limit=5)
assert isinstance(bars, Prices)
lines = ledger_entries.sync(client=client, limit=2)
assert isinstance(lines, str)
refused = predict.sync(client=client, symbol="APPL")
assert isinstance(refused, Problem)

output = {
    "symbol": forecast.symbol,
    "target_date": forecast.target_date.isoformat(),
    "range": forecast.confidence_interval.to_dict()["80%"],
    "past": len(past.forecasts),
    "scored": record.total_predictions,
    "found": [one.symbol for one in found.symbols],
    "bars": len(bars.bars),
    "entries": [json.loads(json.loads(line)["payload"])["id"] for line in lines.splitlines()],
    "refused": [refused.status, refused.type_, refused.additional_properties["suggestions"]],
}
json.dump(output, sys.stdout)
