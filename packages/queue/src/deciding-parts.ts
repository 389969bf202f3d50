import type { DecidingPart } from '@cdr/core/decide';

/**
 * What a scan decides from, of many entries of the projection. A scan looks a hundred thousand of them up, and to move and
 * to parse all that is in them cost more than the rest of it. KEYS: the projection; ARGV: files. Of an entry as workers
 * write it, answers `STATE GENERATION SIZE MTIME`; of a rare or strange one, the whole value; 0 where there is none. In
 * JSON a quote within a name is escaped, so that no name can look like a field.
 */
export const DECIDING_PARTS_SCRIPT = `
local found = redis.call('HMGET', KEYS[1], unpack(ARGV))
for i = 1, #ARGV do
  local value = found[i]
  if not value then
    found[i] = 0
  elseif string.find(value, '^%d+ {"v":1,') and not string.find(value, '"changed":', 1, true)
      and not string.find(value, '"requested":', 1, true) then
    local state = string.match(value, '"state":"(%l+)"')
    local generation = string.match(value, '"generation":(%d+)[,}]')
    local size = string.match(value, '"size":(%d+)[,}]')
    local mtime = string.match(value, '"mtimeMs":(%-?%d+)[,}]')
    if state and generation and size and mtime then
      found[i] = state .. ' ' .. generation .. ' ' .. size .. ' ' .. mtime
    end
  end
end
return found`;

const SHORT = /^(partial|committed|adopted) ([1-9]\d*) (\d+) (-?\d+)$/;

/** Reads the script's short answer; undefined when it is not one. */
export function parseDecidingPart(answer: string): DecidingPart | undefined {
  const match = SHORT.exec(answer);
  if (!match) return undefined;
  const [, state, generation, size, mtimeMs] = match;
  return {
    state: state as DecidingPart['state'],
    generation: Number(generation),
    size: Number(size),
    mtimeMs: Number(mtimeMs),
  };
}
