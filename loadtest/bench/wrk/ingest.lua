-- POST /v1/batch with message ids that were never used before. Arguments: a file of JSON bodies, one a line, in which `~`
-- stands where an id must become unique; a text that no other run has.

local bodies = {}
local headers = {}
local prefix = ""
local sent = 0

function init(args)
  headers["Authorization"] = "Bearer " .. os.getenv("SEGUE_WRITE_KEY")
  headers["Content-Type"] = "application/json"
  prefix = args[2]
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = line
  end
end

function request()
  sent = sent + 1
  local body = string.gsub(bodies[(sent - 1) % #bodies + 1], "~", prefix .. "-" .. sent .. "-")
  return wrk.format("POST", "/v1/batch", headers, body)
end
