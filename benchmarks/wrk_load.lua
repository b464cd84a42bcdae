-- Load script for wrk. `done` prints the figures of one run as one line of JSON, latencies in milliseconds.
-- With arguments (a file of API keys, a file of symbols) every request differs: key, symbol, horizon and request id.
local HORIZONS = {1, 5, 10, 20}

local function lines_of(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

function init(args)
  if #args < 2 then return end
  local keys, symbols, sent = lines_of(args[1]), lines_of(args[2]), 0
  local head = 'GET /api/v1/predict?symbol=%s&horizon=%d HTTP/1.1\r\nHost: ' .. wrk.host .. ':' .. wrk.port ..
    '\r\nX-API-Key: %s\r\nX-Request-ID: %08x-%08x\r\n\r\n'
  -- Every server gets the same sequence of requests.
  math.randomseed(42)
  request = function()
    sent = sent + 1
    return head:format(
      symbols[math.random(#symbols)], HORIZONS[math.random(#HORIZONS)], keys[math.random(#keys)],
      math.random(0, 0x7fffffff), sent
    )
  end
end

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
