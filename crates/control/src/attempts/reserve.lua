-- Counts a login try unless one of its counters is full. KEYS are the counters: sorted sets of tries by their time in ms.
-- ARGV: window in ms, name of this try; then for each counter the tries it allows, how many earlier tries the gateway knows
-- of, and each one's age in ms and name: those that Redis missed are added. Returns whether it was counted.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local window, try = tonumber(ARGV[1]), ARGV[2]
local at, locked = 3, false
for _, key in ipairs(KEYS) do
  local allowed = tonumber(ARGV[at])
  for _ = 1, tonumber(ARGV[at + 1]) do
    redis.call('ZADD', key, 'NX', now - tonumber(ARGV[at + 2]), ARGV[at + 3])
    at = at + 2
  end
  at = at + 2
  -- Also what lies in the future, after a clock was set back.
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  redis.call('ZREMRANGEBYSCORE', key, '(' .. (now + window), '+inf')
  locked = locked or redis.call('ZCARD', key) >= allowed
end
for _, key in ipairs(KEYS) do
  if not locked then redis.call('ZADD', key, now, try) end
  redis.call('PEXPIRE', key, window)
end
return { locked and 0 or 1 }
