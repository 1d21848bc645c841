"""Lua scripts: steps that Redis must make atomically.

The users of deploy/valkey/users.acl may load any script, but run only these, by their digests.
With a script of its own, a compromised process could stop the server for good. When a script has
changed, users.acl also keeps its digest of the last release (build/valkey_users.py).
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, NoScriptError


class Script:
    """A script, and the digest by which the server knows it.

    One that is `readonly` changes nothing, and the server sees to that.
    """

    def __init__(self, text: str, *, readonly: bool = False) -> None:
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        self.readonly = readonly

    async def run(self, redis: Redis, keys: Sequence[str | bytes], *arguments: Any) -> Any:
        """Run it on keys, which it gets as KEYS, and arguments, which it gets as ARGV."""
        evalsha: Any = redis.evalsha_ro if self.readonly else redis.evalsha
        given = (len(keys), *keys, *arguments)
        try:
            return await evalsha(self.digest, *given)
        except NoScriptError:  # a server that has just started
            await redis.script_load(self.text)
            return await evalsha(self.digest, *given)
        except NoPermissionError:
            # The users.acl of a version whose users ran scripts by their text.
            send: Any = redis.eval_ro if self.readonly else redis.eval
            return await send(self.text, *given)

    def add(self, calls: Any, keys: Sequence[str | bytes], *arguments: Any) -> None:
        """Add it to a pipeline, in which it fails on a server that does not know it yet."""
        evalsha = calls.evalsha_ro if self.readonly else calls.evalsha
        evalsha(self.digest, len(keys), *keys, *arguments)


SEND: Final = Script("""
-- KEYS: stream, waiting; ARGV: data and attempt of each message.
local waiting = {}
for i = 1, #ARGV, 2 do
  local id = redis.call('XADD', KEYS[1], '*', 'data', ARGV[i])
  waiting[i], waiting[i + 1] = string.match(id, '^%d+'), ARGV[i + 1]
end
redis.call('ZADD', KEYS[2], unpack(waiting))
""")
"""Adds messages, and records that their attempts wait in a stream since the time of the entry."""

READ: Final = Script("""
-- KEYS: stream; ARGV: group, consumer, most entries, bytes after which no other is read.
local found, size = {}, 0
for i = 1, tonumber(ARGV[3]) do
  local answer = redis.call(
    'XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', 1, 'STREAMS', KEYS[1], '>')
  if not answer then break end
  found[i] = answer[1][2][1]
  for _, text in ipairs(found[i][2]) do size = size + #text end
  if size >= tonumber(ARGV[4]) then break end
end
return found
""")
"""Reads new entries, few when they are large: COUNT alone bounds their number, not their size."""

DONE: Final = Script("""
-- KEYS: stream, waiting if there are attempts; ARGV: group, number of entries, entries, attempts...
local last = 2 + ARGV[2]
redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3, last))
redis.call('XDEL', KEYS[1], unpack(ARGV, 3, last))
if #ARGV > last then redis.call('ZREM', KEYS[2], unpack(ARGV, last + 1)) end
""")
"""Removes entries that are done, and with them the attempts that have ended.

XACK alone would leave the entries in the stream for ever. A transaction of the three commands takes
a worker longer.
"""

LOOK: Final = Script("""
-- KEYS: waiting, streams...; ARGV: group, attempts...
-- Returns how many entries the streams hold, then 1 or 0 for each attempt: whether it waits in one.
local oldest, backlog = math.huge, 0
for i = 2, #KEYS do
  local length = redis.call('XLEN', KEYS[i])
  backlog = backlog + length
  if length > 0 then
    local floor = 0
    for _, pairs in ipairs(redis.call('XINFO', 'GROUPS', KEYS[i])) do
      local group = {}
      for j = 1, #pairs, 2 do group[pairs[j]] = pairs[j + 1] end
      if group.name == ARGV[1] then
        floor = tonumber(string.match(group['last-delivered-id'], '^%d+'))
        if group.pending > 0 then
          local first = redis.call('XPENDING', KEYS[i], ARGV[1])[2]
          floor = math.min(floor, tonumber(string.match(first, '^%d+')))
        end
      end
    end
    oldest = math.min(oldest, floor)
  end
end
local limit = '+inf'
if oldest < math.huge then limit = string.format('(%.0f', oldest) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', limit)
local found = {backlog}
for i = 2, #ARGV do
  found[i] = redis.call('ZSCORE', KEYS[1], ARGV[i]) and 1 or 0
end
return found
""")
"""An attempt that was recorded before the oldest entry of all streams is in none of them any more.

An unacknowledged entry is pending or younger than the last entry that was delivered, so there is
no need to look at the entries themselves, which may be large.
"""

EXTEND: Final = Script("""
-- KEYS: stream; ARGV: group, consumer, then each entry and how often it counts as delivered.
-- Returns the entries that are not the consumer's.
local lost = {}
for i = 3, #ARGV, 2 do
  local entry = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if entry and entry[2] == ARGV[2] then
    redis.call(
      'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
""")
"""Resets the idle time of entries, but takes none back from a worker that has claimed it since."""

FAILED: Final = Script("""
-- KEYS: circuits; ARGV: source, failures that open a circuit, interval in ms, code of the failure,
-- most bytes of a circuit. A larger one is replaced.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= tonumber(ARGV[5])
    and redis.call('HGET', KEYS[1], ARGV[1])
local it = held and cjson.decode(held)
    or {state = 'closed', failures = 0, since = now, retry_at = now}
it.failures, it.code = it.failures + 1, ARGV[4]
local before = it.failed_at or 0
it.failed_at = now < before and before + 1 or now -- the clock was set back
if it.state == 'half-open' or it.state == 'closed' and it.failures >= tonumber(ARGV[2]) then
  it.state, it.since, it.retry_at = 'open', now, now + ARGV[3]
end
held = cjson.encode(it)
redis.call('HSET', KEYS[1], ARGV[1], held)
return held
""")
"""Records a failure of a source, and opens its circuit when there are enough of them in a row."""

PROBE: Final = Script("""
-- KEYS: circuits; ARGV: source, time in ms that a probe may take, most bytes of a circuit.
-- Returns 1 for who is to probe.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HSTRLEN', KEYS[1], ARGV[1]) <= tonumber(ARGV[3])
    and redis.call('HGET', KEYS[1], ARGV[1])
local it = held and cjson.decode(held)
if not it or it.state == 'closed' then return 0 end
-- What is in this state since a time to come is so for too long: the clock was set back.
if it.retry_at > now and it.since <= now then return 0 end
it.state, it.since, it.retry_at = 'half-open', now, now + ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(it))
return 1
""")
"""Lets one worker probe a source whose circuit is open."""

CIRCUITS: Final = Script(
    """
-- KEYS: circuits; ARGV: most bytes of a circuit, sources...
-- Returns for each source: its circuit, nothing if there is none, '' if it is larger.
local found = {}
for i = 2, #ARGV do
  local small = redis.call('HSTRLEN', KEYS[1], ARGV[i]) <= tonumber(ARGV[1])
  found[i - 1] = small and redis.call('HGET', KEYS[1], ARGV[i]) or not small and ''
end
return found
""",
    readonly=True,
)
"""Reads only the sources asked for, since a compromised worker may add others, of any size."""

FORGET: Final = Script("""
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
""")
"""Removes consumers that hold nothing: with an entry in hand, it would be lost with its holder."""

MEASURE: Final = Script(
    """
-- KEYS: streams...; ARGV: group. Changes nothing. Returns for each stream: how many entries it
-- holds, the age in ms of the oldest ('' if there is none), then name and idle time of consumers.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local found = {}
for i = 1, #KEYS do
  local measured = {redis.call('XLEN', KEYS[i]), ''}
  if measured[1] > 0 then
    -- What is in hand is older than what is not. An entry is looked at, which may be large, only
    -- when nobody has any in hand; if there is no group, pending is an error.
    local pending = redis.pcall('XPENDING', KEYS[i], ARGV[1])
    local oldest = not pending.err and pending[1] > 0 and pending[2]
        or redis.call('XRANGE', KEYS[i], '-', '+', 'COUNT', 1)[1][1]
    measured[2] = math.max(0, now - string.match(oldest, '^%d+'))
  end
  local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[i], ARGV[1])
  if consumers.err then
    -- No worker has come yet; or the stream went with everything else.
    local missing = string.match(consumers.err, '^NOGROUP') or
        string.match(consumers.err, 'no such key')
    if not missing then return consumers end
    consumers = {}
  end
  for _, pairs in ipairs(consumers) do
    local consumer = {}
    for j = 1, #pairs, 2 do consumer[pairs[j]] = pairs[j + 1] end
    measured[#measured + 1] = consumer.name
    measured[#measured + 1] = consumer.idle
  end
  found[i] = measured
end
return found
""",
    readonly=True,
)
"""The server's clock made the ids, so it gives their age; only the ids of entries are returned."""

BURIED: Final = Script(
    """
-- KEYS: dead letters; ARGV: number of letters, bytes of a text, bytes of a message.
-- Returns for each of the oldest: its id, its fields in the order of names, the message's length.
local names = {'queue', 'id', 'reason', 'deliveries', 'size', 'job_id', 'data'}
local found, after = {}, '-'
for i = 1, ARGV[1] do
  local entry = redis.call('XRANGE', KEYS[1], after, '+', 'COUNT', 1)[1]
  if not entry then break end
  local fields, cut = {}, {}
  for j = 1, #entry[2], 2 do fields[entry[2][j]] = entry[2][j + 1] end
  for j = 1, #names do
    local limit = names[j] == 'data' and ARGV[3] or ARGV[2]
    cut[j] = string.sub(fields[names[j]] or '', 1, limit)
  end
  found[i], after = {entry[1], cut, #(fields.data or '')}, '(' .. entry[1]
end
return found
""",
    readonly=True,
)
"""Reads entries one at a time and cut, since a compromised worker may add some of any size."""
