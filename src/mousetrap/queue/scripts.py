"""What Redis has to do in one step, in Lua."""

from typing import Final

EXTEND: Final = """
-- KEYS: stream; ARGV: group, consumer, entries; returns the entries that are not the consumer's.
local lost = {}
for i = 3, #ARGV do
  local entry = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if entry and entry[2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
"""
"""Resets the idle time of entries, but takes none back from a worker that has claimed it since."""

FORGET: Final = """
-- KEYS: stream; ARGV: group, idle time in ms, name ('' means every one); returns those removed.
local removed = {}
for _, pairs in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #pairs, 2 do consumer[pairs[i]] = pairs[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[2])
      and (ARGV[3] == '' or ARGV[3] == consumer.name) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed[#removed + 1] = consumer.name
  end
end
return removed
"""
"""Removes consumers that hold nothing: with an entry in hand, it would be lost with its holder."""
