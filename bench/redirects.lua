-- wrk -s redirects.lua URL -- FOLDER SEED: requests joined of two lists that bench/requests.py made.
-- All are joined before the clock runs: then wrk does nothing per request but take the next one,
-- and keeps ahead of whatever it loads.
local COUNT = 200000
local requests, last = {}, 0

local function read(path, ending)
  local lines = {}
  for line in io.lines(path) do
    lines[#lines + 1] = line:gsub("\t", "\r\n") .. ending
  end
  return lines
end

function init(args)
  local random = math.random
  math.randomseed(tonumber(args[2]))
  local targets = read(args[1] .. "/targets", "\r\n")
  local visitors = read(args[1] .. "/visitors", "\r\n\r\n")
  for number = 1, COUNT do
    requests[number] = "GET " .. targets[random(#targets)] .. visitors[random(#visitors)]
  end
  collectgarbage()
  collectgarbage("stop")
end

function request()
  last = last % COUNT + 1
  return requests[last]
end
