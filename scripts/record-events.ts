/**
 * Records an example of each type of event from a real run into `docs/event-examples.jsonl`: `npm run record:events`, then
 * `npm run generate`, which sets them into docs/EVENTS.md. Needed when the form of events changes.
 */
import { writeFileSync } from 'node:fs'
import type { OpsEvent } from '../src/event.ts'
import { resolveTool } from '../src/tools/resolve.ts'
import { Tour, TYPES } from '../test/support/tour.ts'
import { EXAMPLES, type Example } from './reference/events.ts'

/** What is worth more as an example than the first that comes. */
const TELLING: Readonly<Record<string, (event: OpsEvent) => boolean>> = {
  'raas.return': ({ data }) => data.outcome === 'failure',
  'vcd.vm.change_state': ({ data }) => data.actor?.tokenName !== undefined,
  'apic.fabricNode.modified': ({ data }) => data.state === 'firing',
  'apic.ethpmPhysIf.modified': ({ data }) => data.state === 'firing',
  'apic.fault.raised': ({ data }) => data.state === 'firing',
}

/** The plainest of a type: as it is told live, without flags where there is one, and the shortest of these. */
function pick(examples: readonly Example[]): Example | undefined {
  const rank = ({ event }: Example): number =>
    (TELLING[event.type]?.(event) === false ? 1e7 : 0) +
    (event.origin === 'live' ? 0 : 1e6) +
    (event.data.flags === undefined ? 0 : 1e5) +
    JSON.stringify(event).length
  return examples.toSorted((a, b) => rank(a) - rank(b))[0]
}

const nats = await resolveTool('nats-server')
if ('missing' in nats) throw new Error(nats.missing)
const tour = await Tour.start(nats.path)
try {
  await tour.walk()
} finally {
  await tour.close()
}
const told = tour.told.map(({ subject, event }) => ({ subject, event: event as OpsEvent }))
const lines = TYPES.map(type => JSON.stringify(pick(told.filter(({ event }) => event.type === type))))
writeFileSync(EXAMPLES, `${lines.join('\n')}\n`)
process.stdout.write(`${lines.length} examples of ${told.length} events\n`)
