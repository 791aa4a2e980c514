/**
 * `npm exec -c 'node bench/sizes.ts'`: what an event costs on disk, type by type, with the real store: docs/OPERATIONS.md. Each type's recorded
 * example (docs/event-examples.jsonl) is stored many times, as events of different objects.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Example, examples } from '../scripts/reference/events.ts'
import { eventId } from '../src/event.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import type { NewEvent } from '../src/store/contract.ts'
import { openStore } from '../src/store/open.ts'

const EVENTS = 5000
const BATCH = 250

interface Sizes {
  readonly type: string
  /** Bytes an event: its JSON; what counts against store.max_bytes; the file. */
  readonly body: number
  readonly counted: number
  readonly file: number
}

/** Event number `n`: as the example, of an object of its own. */
function numbered({ subject, event }: Example, n: number, raw: boolean): NewEvent {
  const { raw: _, ...bare } = event.data
  const id = eventId('sizes', event.type, [n])
  const partitionkey = `${event.partitionkey}/${n}`
  const body = Buffer.from(JSON.stringify({ ...event, id, partitionkey, data: raw ? event.data : bare }))
  return { id, subject: subject.replace(/^opswire\./, ''), partitionkey, recordedMs: n, body }
}

function folderBytes(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

async function measure(example: Example, raw: boolean): Promise<Sizes> {
  const folder = mkdtempSync(join(tmpdir(), 'opswire-sizes-'))
  const options = {
    maxBytes: 1024 ** 4,
    retainAckedMs: 0,
    maxDeadLetters: 1,
    report: () => undefined,
    clock: systemClock,
  }
  try {
    const store = await openStore({ stateDir: folder, ...options })
    let body = 0
    for (let from = 0; from < EVENTS; from += BATCH) {
      const events = Array.from({ length: BATCH }, (_, index) => numbered(example, from + index, raw))
      body += events.reduce((sum, event) => sum + event.body.byteLength, 0)
      await store.append({ source: 'sizes', feed: 'one', events, overdraft: false })
    }
    const counted = store.stats().bytes
    await store.close()
    const file = folderBytes(folder)
    const each = (bytes: number): number => Math.round(bytes / EVENTS)
    return {
      type: example.event.type,
      body: each(body),
      counted: each(counted),
      file: each(file),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

say('| type | event | counts | on disk | on disk with raw: false |')
say('|---|---|---|---|---|')
for (const example of examples()) {
  if (example.event.type === 'opswire.dead_letter') continue
  const { type, body, counted, file } = await measure(example, true)
  const bare = await measure(example, false)
  say(`| \`${type}\` | ${body} | ${counted} | ${file} | ${bare.file} |`)
}
