-- The figures of one run as one line of JSON, latencies in milliseconds. An answer that takes long is no failure: the
-- latencies tell it.
done = function(summary, latency)
  local function ms(share)
    return latency:percentile(share) / 1000
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "seconds": %f, "p50_ms": %f, "p95_ms": %f, "p99_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, ms(50), ms(95), ms(99),
    errors.connect + errors.read + errors.write + errors.status
  ))
end
