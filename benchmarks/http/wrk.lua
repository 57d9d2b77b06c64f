-- Sends the requests of a file in turn: a line has a path and headers, with tabs between them. Arguments are
-- the file, and after how many of its lines to begin.
-- At the end the figures go out as one line of JSON, times in microseconds.

local requests, turn = {}, 0

function init(args)
  for line in io.lines(args[1]) do
    local path, headers
    for part in line:gmatch("[^\t]+") do
      if path == nil then
        path, headers = part, { Host = wrk.headers["Host"] }
      else
        local name, value = part:match("^([^:]+): (.*)$")
        headers[name] = value
      end
    end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
  turn = tonumber(args[2])
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

local FIGURES = '{"requests":%.0f,"duration_us":%.0f,"bytes":%.0f,"p50_us":%.0f,"p99_us":%.0f,"max_us":%.0f,'
  .. '"errors":{"connect":%.0f,"read":%.0f,"write":%.0f,"status":%.0f,"timeout":%.0f}}\n'

function done(summary, latency, _)
  local e = summary.errors
  io.write(FIGURES:format(
    summary.requests, summary.duration, summary.bytes,
    latency:percentile(50), latency:percentile(99), latency.max,
    e.connect, e.read, e.write, e.status, e.timeout
  ))
end
