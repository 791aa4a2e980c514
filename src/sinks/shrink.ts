/** Makes an event that is too large for the sink smaller: without the source's own object. */
import type { EventRecord } from '../record.ts'

/**
 * The same event, same id, without `data.raw`, with `truncated: true` and the flag `truncated`. Undefined when nothing
 * could be left out.
 */
export function withoutRaw(record: EventRecord): EventRecord | undefined {
  let event: unknown
  try {
    event = JSON.parse(Buffer.from(record.body).toString('utf8'))
  } catch {
    return undefined
  }
  if (!isObject(event) || !isObject(event['data']) || event['data']['raw'] === undefined) return undefined
  const { raw: _, ...data } = event['data']
  const flags = Array.isArray(data['flags']) ? data['flags'] : []
  const smaller = { ...event, truncated: true, data: { ...data, flags: [...flags, 'truncated'] } }
  return { ...record, body: Buffer.from(JSON.stringify(smaller)) }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
