/** What befalls a source while faults live and die: drawn one after the other, many a second. */
import type { ApicRig } from '../../support/apic-source.ts'
import type { Dice } from '../whole/dice.ts'

/** What strikes share of a run. */
export interface Struck {
  readonly rig: ApicRig
  readonly dice: Dice
  /** Ms by the clock of the run. */
  sleep(ms: number): Promise<void>
  /** So many mute it, or hold its wire, now. */
  mutes: number
  holds: number
  /** The source is being stopped or started. */
  moving: boolean
}

interface Kind {
  readonly name: string
  readonly weight: number
  /** Pushes are lost by it: nobody need know of steps that a later push has overtaken. */
  readonly deafens?: true
  /** Resolves when it is over. `forMs`: drawn. */
  strike(struck: Struck, forMs: number): Promise<void> | void
}

const OPERATIONS = ['login', 'refresh', 'subscribe', 'subscriptionRefresh', 'query'] as const

/** An abrupt stop cuts all that is under way, an orderly one lets it end. */
async function restart(struck: Struck, forMs: number, isAbrupt: boolean): Promise<void> {
  if (struck.moving) return
  struck.moving = true
  await struck.rig.stop(isAbrupt ? AbortSignal.abort() : AbortSignal.timeout(2000))
  await struck.sleep(forMs)
  struck.rig.start()
  struck.moving = false
}

async function late(struck: Struck, forMs: number, turn: (ms: number) => void): Promise<void> {
  turn(struck.dice.whole(10, 500))
  await struck.sleep(forMs)
  turn(0)
}

const KINDS: readonly Kind[] = [
  { name: 'sockets cut', weight: 4, strike: ({ rig }) => rig.simulator.cutSockets() },
  { name: 'wire cut', weight: 2, strike: ({ rig }) => rig.wire?.cut() },
  { name: 'sessions ended', weight: 3, strike: ({ rig }) => rig.simulator.endSessions() },
  {
    name: 'subscriptions expired',
    weight: 4,
    strike: ({ rig: { simulator } }) => {
      for (const id of simulator.subscriptionIds) simulator.expireSubscription(id)
    },
  },
  { name: 'config read again', weight: 3, strike: ({ rig, moving }) => (moving ? undefined : rig.replace()) },
  {
    name: 'mute',
    weight: 3,
    deafens: true,
    strike: async (struck, forMs) => {
      const { simulator } = struck.rig
      if (struck.mutes++ === 0) simulator.mute()
      await struck.sleep(forMs)
      if (--struck.mutes === 0) simulator.unmute()
    },
  },
  {
    name: 'wire held',
    weight: 2,
    strike: async (struck, forMs) => {
      if (struck.holds++ === 0) struck.rig.wire?.hold()
      await struck.sleep(forMs)
      if (--struck.holds === 0) struck.rig.wire?.release()
    },
  },
  {
    name: 'answers late',
    weight: 2,
    strike: (struck, forMs) =>
      late(struck, forMs, ms => {
        struck.rig.simulator.knobs.latencyMs = ms
      }),
  },
  {
    name: 'subscribing late',
    weight: 3,
    strike: (struck, forMs) =>
      late(struck, forMs, ms => {
        struck.rig.simulator.knobs.latencyOf = { ...struck.rig.simulator.knobs.latencyOf, subscribe: ms }
      }),
  },
  {
    name: 'queries late',
    weight: 3,
    strike: (struck, forMs) =>
      late(struck, forMs, ms => {
        struck.rig.simulator.knobs.latencyOf = { ...struck.rig.simulator.knobs.latencyOf, query: ms }
      }),
  },
  {
    name: 'calls fail',
    weight: 3,
    strike: ({ rig, dice }) => {
      const kind = dice.pick(['reset', 'reset-after', 'truncated', 'html'] as const)
      rig.simulator.fail({ operation: dice.pick(OPERATIONS), times: dice.whole(1, 3), failure: { kind } })
    },
  },
  {
    name: 'everything stands still',
    weight: 2,
    strike: ({ dice }) => {
      const end = performance.now() + dice.whole(20, 200)
      while (performance.now() < end);
    },
  },
]

const RESTARTS: readonly Kind[] = [
  { name: 'stopped', weight: 3, strike: (struck, forMs) => restart(struck, forMs, false) },
  { name: 'cut off', weight: 3, strike: (struck, forMs) => restart(struck, forMs, true) },
]

export interface Strike {
  readonly kind: Kind
  readonly atMs: number
  readonly forMs: number
}

/** As many as fit into `spanMs`, 50 to 500 ms apart. */
export function strikesOf(dice: Dice, spanMs: number, restarts: boolean): Strike[] {
  const kinds = [...KINDS, ...(restarts ? RESTARTS : [])].flatMap(kind => Array<Kind>(kind.weight).fill(kind))
  const strikes: Strike[] = []
  for (let atMs = dice.whole(50, 500); atMs < spanMs; atMs += dice.whole(50, 500)) {
    strikes.push({ kind: dice.pick(kinds), atMs, forMs: dice.whole(20, 500) })
  }
  return strikes
}
