-- wrk -s webhooks.lua URL -- FOLDER ROUND: the signed webhooks that bench/webhooks.py wrote for this
-- round, each once: a signature and a body a line. All are joined before the clock runs.
local requests, last = {}, 0

function init(args)
  for line in io.lines(args[1] .. "/webhooks-" .. args[2]) do
    local target, signature, body = line:match("^([^\t]*)\t([^\t]*)\t(.*)$")
    requests[#requests + 1] = "POST " .. target .. " HTTP/1.1\r\nHost: api.example\r\n"
      .. "Content-Type: application/json\r\nStripe-Signature: " .. signature .. "\r\n"
      .. "Content-Length: " .. #body .. "\r\n\r\n" .. body
  end
  collectgarbage()
  collectgarbage("stop")
end

function request()
  last = last + 1
  -- The same again would be a duplicate, which is less work: better to fail.
  return requests[last] or "GET /out-of-webhooks HTTP/1.1\r\nHost: api.example\r\n\r\n"
end
