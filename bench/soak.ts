/**
 * `npm run soak`: the long life in real time. docs/BENCHMARKS.md tells what it does. Exits with 1 when anything was lost,
 * doubled or told in another order, or when a lease lapsed.
 */
import { parseArgs } from 'node:util'
import { formatDuration, parseDuration } from '../src/config/units.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import { Scratch } from './scratch.ts'
import { soakHour } from './soak-hour.ts'
import { soakThousands } from './soak-thousands.ts'

const HELP = `npm run soak -- [options]
  --for TIME           how long the fabric lives (60m)
  --cut-every TIME     the socket is cut this often (5m)
  --rate N             changes on the fabric per second (1)
  --nats VERSION       exactly this nats-server (2.12 or newer)

npm run soak -- --subscriptions N [options]
  --subscriptions N    so many different subscriptions on one controller, and nothing else happens
  --lives N            for so many lives of 60 s, counted from when all exist (10)
  --latency TIME       of the controller, before every answer (50ms)
  --concurrency N      max_concurrency of the daemon (8)
`

const { values } = parseArgs({
  options: {
    for: { type: 'string', default: '60m' },
    'cut-every': { type: 'string', default: '5m' },
    rate: { type: 'string', default: '1' },
    nats: { type: 'string' },
    subscriptions: { type: 'string' },
    lives: { type: 'string', default: '10' },
    latency: { type: 'string', default: '50ms' },
    concurrency: { type: 'string', default: '8' },
    help: { type: 'boolean', default: false },
  },
})

/** npm hands on the Ctrl-C that the terminal has sent already: only a later one means "at once". */
const SAME_SIGNAL_MS = 1000

function time(name: 'for' | 'cut-every' | 'latency'): number {
  const ms = parseDuration(values[name])
  if (ms === undefined || ms <= 0) throw new Error(`--${name} must be a time, such as 90s or 5m`)
  return ms
}

function number(name: 'subscriptions' | 'lives' | 'concurrency' | 'rate', isWhole = true): number {
  const value = Number(values[name])
  if (!(value > 0) || (isWhole && !Number.isSafeInteger(value))) {
    throw new Error(`--${name} must be a ${isWhole ? 'whole ' : ''}number above 0`)
  }
  return value
}

const say = (text: string): void => {
  process.stderr.write(`${new Date(systemClock.wall()).toISOString().slice(11, 19)}  ${text}\n`)
}

async function soak(scratch: Scratch, stop: AbortSignal): Promise<boolean> {
  const common = { natsVersion: values.nats, stop, say }
  if (values.subscriptions !== undefined) {
    const [subscriptions, lives] = [number('subscriptions'), number('lives')]
    const [latencyMs, concurrency] = [time('latency'), number('concurrency')]
    say(`${subscriptions} subscriptions, ${lives} lives, ${latencyMs} ms latency, max_concurrency ${concurrency}`)
    return soakThousands(scratch, { ...common, subscriptions, lives, latencyMs, concurrency })
  }
  const [forMs, cutEveryMs, perSecond] = [time('for'), time('cut-every'), number('rate', false)]
  say(`${formatDuration(forMs)}, ${perSecond} changes a second, the socket cut every ${formatDuration(cutEveryMs)}`)
  return soakHour(scratch, { ...common, forMs, cutEveryMs, perSecond })
}

if (values.help) {
  process.stdout.write(HELP)
} else {
  const scratch = new Scratch()
  const stop = new AbortController()
  let stoppedAt = Number.POSITIVE_INFINITY
  const onSignal = (): void => {
    if (systemClock.now() - stoppedAt > SAME_SIGNAL_MS) process.exit(130)
    if (stop.signal.aborted) return
    stoppedAt = systemClock.now()
    say('ending; once more ends it at once')
    stop.abort()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  try {
    if (!(await soak(scratch, stop.signal))) process.exitCode = 1
  } finally {
    await scratch.close()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal)
  }
}
