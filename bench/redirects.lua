-- wrk -s redirects.lua URL -- FOLDER SEED: requests joined of two lists that bench/requests.py made.
-- Nothing is formatted per request, so that wrk keeps ahead of whatever it loads.
local targets, visitors = {}, {}
local random = math.random

function init(args)
  math.randomseed(tonumber(args[2]))
  for line in io.lines(args[1] .. "/targets") do
    targets[#targets + 1] = "GET " .. line .. " HTTP/1.1\r\nHost: go.example\r\n"
  end
  for line in io.lines(args[1] .. "/visitors") do
    visitors[#visitors + 1] = line:gsub("\t", "\r\n") .. "\r\n\r\n"
  end
end

function request()
  return targets[random(#targets)] .. visitors[random(#visitors)]
end
