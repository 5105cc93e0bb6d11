-- The load of the lease benchmark. WRK_PLAN names a file: lines "name: value" (method, path, headers), a line "--",
-- then one body a line, sent in turn; without bodies the request has none. WRK_PORTS has the ports of the servers, one
-- for each thread.
local bodies = {}
local at = 0
local method, path, headers = 'GET', '/', {}

local ports = {}
for port in os.getenv('WRK_PORTS'):gmatch('%d+') do ports[#ports + 1] = port end
local threads = 0

function setup(thread)
  threads = threads + 1
  thread.addr = wrk.lookup('127.0.0.1', ports[threads])[1]
end

function init(args)
  local section = 'request'
  for line in io.lines(os.getenv('WRK_PLAN')) do
    if line == '--' then
      section = 'bodies'
    elseif section == 'bodies' then
      bodies[#bodies + 1] = line
    else
      local name, value = line:match('^([^:]+): (.*)$')
      if name == 'method' then method = value
      elseif name == 'path' then path = value
      else headers[name] = value end
    end
  end
end

function request()
  if #bodies == 0 then return wrk.format(method, path, headers) end
  at = at % #bodies + 1
  return wrk.format(method, path, headers, bodies[at])
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
