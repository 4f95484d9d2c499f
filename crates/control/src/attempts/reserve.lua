-- Counts a login try unless one of its counters is full. KEYS are the counters: sorted sets of tries by their time in ms.
-- ARGV: window in ms, name of this try; then for each counter the tries it allows, how many earlier tries the gateway knows
-- of, and each one's age in ms and name: those that Redis missed are added. Returns whether it was counted, and of each
-- counter for how many ms it is full from now on, 0 if it is not.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local window, try = tonumber(ARGV[1]), ARGV[2]
local at, locked, limits = 3, false, {}
for index, key in ipairs(KEYS) do
  local allowed = tonumber(ARGV[at])
  limits[index] = allowed
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
local answer = { locked and 0 or 1 }
for index, key in ipairs(KEYS) do
  if not locked then redis.call('ZADD', key, now, try) end
  redis.call('PEXPIRE', key, window)
  local over = redis.call('ZCARD', key) - limits[index]
  local full = 0
  if over >= 0 then
    -- The door opens when so many have lapsed that one is missing.
    local last = redis.call('ZRANGE', key, over, over, 'WITHSCORES')
    full = math.max(1, tonumber(last[2]) + window - now)
  end
  answer[index + 1] = full
end
return answer
