-- POST /v1/decide for random customers at random placements. Arguments: a file of user ids, a file of placements, one a line.

local requests = {}

local function lines(path)
  local found = {}
  for line in io.lines(path) do
    found[#found + 1] = line
  end
  return found
end

function init(args)
  local headers = {
    ["Authorization"] = "Bearer " .. os.getenv("SEGUE_WRITE_KEY"),
    ["Content-Type"] = "application/json",
  }
  for _, user in ipairs(lines(args[1])) do
    for _, placement in ipairs(lines(args[2])) do
      local body = string.format('{"userId":"%s","placement":"%s"}', user, placement)
      requests[#requests + 1] = wrk.format("POST", "/v1/decide", headers, body)
    end
  end
  math.randomseed(7)
end

function request()
  return requests[math.random(#requests)]
end
