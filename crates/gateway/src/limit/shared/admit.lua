-- One admission, decided as ring.rs decides it. KEYS[1] is a hash: sub-bucket number to count, `m` the window in minutes,
-- `l` the time of the last change in ms. ARGV: requests (0 only adds), minutes, then pairs of a sub-bucket and a count that
-- were admitted while Redis was not asked. Returns allowed, remaining, ms until it is worth while to ask again (allowed:
-- until the oldest leaves the window), and the time in ms. Integers only.
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local requests, minutes = tonumber(ARGV[1]), tonumber(ARGV[2])
local key, limit = KEYS[1], 9007199254740992
local counts, kept, last = {}, minutes, clock
local rows = redis.call('HGETALL', key)
for i = 1, #rows, 2 do
  local value = tonumber(rows[i + 1])
  if not value or value < 0 or value >= limit or value ~= math.floor(value) then
    return redis.error_reply('BADRING a counter is not a count')
  end
  if rows[i] == 'm' then
    kept = math.max(value, 1)
  elseif rows[i] == 'l' then
    last = value
  else
    local slot = tonumber(rows[i])
    if not slot or slot ~= math.floor(slot) then return redis.error_reply('BADRING a sub-bucket is not a number') end
    counts[slot] = value
  end
end
-- A time before the last one counts as the last one, unless the clock was set back by more than a window.
local now = clock
if now < last and last - now <= kept * 60000 then now = last end
local size = kept * 1000
local slot = math.floor(now / size)
local total, gone, late, fresh = 0, {}, 0, false
for at, count in pairs(counts) do
  if at <= slot - 61 then
    gone[#gone + 1] = at
  else
    total = total + count
    if at > slot then late = late + count; gone[#gone + 1] = at end
  end
end
for _, at in ipairs(gone) do counts[at] = nil end
if late > 0 then counts[slot] = (counts[slot] or 0) + late end
-- A changed window starts a new ring that holds the old one's count as if it had all come just now.
if kept ~= minutes then
  size = minutes * 1000
  slot = math.floor(now / size)
  counts, fresh = { [slot] = total }, true
end
local changed = {}
for i = 3, #ARGV, 2 do
  local at, count = math.min(tonumber(ARGV[i]), slot), tonumber(ARGV[i + 1])
  if at > slot - 61 then
    counts[at] = (counts[at] or 0) + count
    total = total + count
    changed[at] = true
  end
end
local function free_at(needed)
  local left = 0
  for at = slot - 60, slot do
    left = left + (counts[at] or 0)
    if left >= needed then return (at + 61) * size end
  end
  return (slot + 61) * size
end
local allowed, remaining, wait = 0, 0, 0
if total >= requests then
  wait = free_at(total - requests + 1) - now
else
  counts[slot] = (counts[slot] or 0) + 1
  total = total + 1
  changed[slot] = true
  allowed, remaining, wait = 1, requests - total, free_at(1) - now
end
if fresh or late > 0 then
  redis.call('DEL', key)
  for at, count in pairs(counts) do redis.call('HSET', key, string.format('%d', at), string.format('%d', count)) end
elseif next(changed) then
  for _, at in ipairs(gone) do redis.call('HDEL', key, string.format('%d', at)) end
  for at in pairs(changed) do redis.call('HSET', key, string.format('%d', at), string.format('%d', counts[at])) end
end
if fresh or late > 0 or next(changed) then
  redis.call('HSET', key, 'm', minutes, 'l', string.format('%d', now))
  redis.call('PEXPIRE', key, 120000 * minutes)
end
return { allowed, remaining, wait, clock }
