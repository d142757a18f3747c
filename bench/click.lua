-- One of 10,000 codes and one of 200 agents for each request.
local thread_number = 0
function setup(thread)
  thread_number = thread_number + 1
  thread:set("number", thread_number)
end

function init(args)
  math.randomseed(os.time() * 100 + number)
end

function request()
  local version = math.random(50, 149)
  local system = math.random(2) == 1 and "Windows NT 10.0; Win64; x64" or "Macintosh"
  return wrk.format("GET", string.format("/r/code%d", math.random(10000)), {
    ["User-Agent"] = "Mozilla/5.0 (" .. system .. ") Chrome/" .. version .. ".0.0.0 Safari/537.36",
    ["Accept"] = "text/html,application/xhtml+xml",
    ["Referer"] = "https://blog" .. math.random(50) .. ".example/post",
  })
end
