// Use the generated TypeScript types with openapi-fetch: node example.js URL
import createClient from "openapi-fetch";
import type { components, paths } from "./hindcast.js";

type Forecast = components["schemas"]["Forecast"];

const client = createClient<paths>({ baseUrl: process.argv[2] ?? "" });

async function forecastOf(symbol: string): Promise<Forecast> {
  const { data, error } = await client.GET("/api/v1/predict", { params: { query: { symbol, horizon: 5 } } });
  if (error !== undefined) {
    throw new Error(`${error.type}: ${error.detail}`);
  }
  return data;
}

// @ts-expect-error three days ahead is not a supported horizon
const horizon: Forecast["horizon"] = 3;

const forecast = await forecastOf("AAPL");
const price: number | null = forecast.predicted_price;
const past = await client.GET("/api/v1/history/{symbol}", { params: { path: { symbol: "AAPL" }, query: { days: 90 } } });
const record = await client.GET("/api/v1/metrics");
const refused = await client.GET("/api/v1/predict", { params: { query: { symbol: "APPL" } } });
console.log(
  JSON.stringify({
    symbol: forecast.symbol,
    target_date: forecast.target_date,
    price,
    horizon,
    // The same operations also offer CSV, which is text.
    past: typeof past.data === "object" ? past.data.forecasts.length : 0,
    scored: typeof record.data === "object" ? record.data.total_predictions : 0,
    refused: [refused.response.status, refused.error?.type],
  }),
);
