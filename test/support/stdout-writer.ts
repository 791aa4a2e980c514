/** A process that writes `argv[2]` events to standard output through the pump, and tells on stderr how it went. */
import { systemClock } from '../../src/scheduler/clock.ts'
import { startPump } from '../../src/sinks/pump.ts'
import { stdoutSink } from '../../src/sinks/stdout.ts'
import { MemoryStore } from './memory-store.ts'
import { numbered } from './nats.ts'

const count = Number(process.argv[2])
const store = new MemoryStore()
for (let n = 1; n <= count; n++) store.put(numbered(n, { raw: { filler: 'ä'.repeat(500) } }))
const say = (line: string): void => {
  process.stderr.write(`${line}\n`)
}
const pump = startPump({
  store,
  sink: stdoutSink(),
  clock: systemClock,
  report(happening) {
    if (happening.type === 'sink_state') say(`${happening.up ? 'up' : 'down'}: ${happening.detail}`)
    if (happening.type === 'sink_state' && !happening.up) void end()
    if (happening.type === 'published') setImmediate(() => store.settled === count && void end())
  },
})
say('started')
// Proof that the process turns while the reader sleeps.
const tick = setInterval(() => say(`settled ${store.settled}`), 20)

let ending = false
async function end(): Promise<void> {
  if (ending) return
  ending = true
  clearInterval(tick)
  await pump.stop(5000)
  say(`ended ${store.settled}`)
}
