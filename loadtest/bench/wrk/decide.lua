-- POST /v1/decide for random customers at random placements, as a home page asks. Arguments: a file of user ids, a file of
-- placements, one a line. Counts the answers that show nothing and those that were no decision in time.

local users = {}
local placements = {}
local headers = {}
local threads = {}
empty = 0
degraded = 0

local function lines(path)
  local found = {}
  for line in io.lines(path) do
    found[#found + 1] = line
  end
  return found
end

function setup(thread)
  threads[#threads + 1] = thread
end

function init(args)
  headers["Authorization"] = "Bearer " .. os.getenv("SEGUE_WRITE_KEY")
  headers["Content-Type"] = "application/json"
  users = lines(args[1])
  placements = lines(args[2])
  math.randomseed(7)
end

function request()
  local user, placement = users[math.random(#users)], placements[math.random(#placements)]
  local body = '{"userId":"' .. user .. '","placement":"' .. placement .. '","context":{"page":{"kind":"home"}}}'
  return wrk.format("POST", "/v1/decide", headers, body)
end

-- With a pace each connection waits so many milliseconds before each request.
local pace = tonumber(os.getenv("BENCH_PACE_MS") or "")
if pace then
  function delay()
    return pace
  end
end

function response(status, headers, body)
  if string.find(body, '"actions":[]', 1, true) then
    empty = empty + 1
    if string.find(body, '"degraded":true', 1, true) then
      degraded = degraded + 1
    end
  end
end

function done(summary, latency, requests)
  local nothing, late = 0, 0
  for _, thread in ipairs(threads) do
    nothing = nothing + thread:get("empty")
    late = late + thread:get("degraded")
  end
  io.write(string.format("Answers: %d empty, %d degraded\n", nothing, late))
end
