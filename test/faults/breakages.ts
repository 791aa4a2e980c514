/** What breaks, and how: each of the faults of the long life, one at a time. */
import { systemClock } from '../../src/scheduler/clock.ts'
import type { ApicSimulatorOptions } from '../../src/simulators/apic/controller.ts'
import type { Knobs } from '../../src/simulators/apic/knobs.ts'
import { until } from '../support/manual-clock.ts'
import type { FaultRig } from './rig.ts'

export interface Breakage {
  readonly name: string
  /** About how long it lasts until all is well, s: over this time the work is spread. */
  readonly seconds: number
  readonly controllers?: number
  readonly controller?: Partial<ApicSimulatorOptions>
  readonly knobs?: Partial<Knobs>
  /** Nothing is ever unheard: two sessions overlap, and all is well when the first has ended. */
  readonly seamless?: boolean
  /** Runs before the work begins: waits for the hour of a fault that comes by the clock. */
  readonly approach?: (rig: FaultRig) => Promise<void>
  /** Breaks it now. What heals from outside heals by itself, later. */
  readonly strike?: (rig: FaultRig) => void | Promise<void>
  /** Of one that comes by the clock: resolves with the wall time at which it came. */
  readonly comes?: (rig: FaultRig) => Promise<number>
}

/** Resolves when the first session is this old, in ms. */
async function sessionAge(rig: FaultRig, ms: number): Promise<void> {
  const { sessions } = rig.controller.record
  await until(() => systemClock.wall() - (sessions[0]?.startedAt ?? Infinity) >= ms, `a session of ${ms} ms`, 60_000)
}

/** Resolves when the socket is one that answers pings, as far as the client can know. */
async function answeredPing(rig: FaultRig): Promise<void> {
  await until(() => rig.controller.record.sockets.some(socket => socket.pings > 0), 'a ping')
}

/** Resolves when the first session is over, with the time of its end. */
export function sessionEnd(rig: FaultRig): Promise<number> {
  return until(() => rig.controller.record.sessions[0]?.endedAt, 'the end of the session', 60_000)
}

export const BREAKAGES: readonly Breakage[] = [
  {
    name: 'socket cut',
    seconds: 2,
    strike: rig => rig.controller.cutSockets(),
  },
  {
    name: 'socket cut, new ones refused for 3 s',
    seconds: 6,
    strike: rig => {
      const { controller } = rig
      controller.knobs.refuseSockets = 503
      controller.cutSockets()
      rig.later(3000, () => {
        controller.knobs.refuseSockets = undefined
      })
    },
  },
  {
    name: 'half-open socket',
    seconds: 4,
    approach: answeredPing,
    strike: rig => rig.controller.silenceSockets(),
  },
  {
    // Nothing but the canary can tell.
    name: 'half-open socket, pings never answered',
    seconds: 12,
    knobs: { answerPings: false },
    strike: rig => rig.controller.silenceSockets(),
  },
  {
    name: 'session expired, socket closed',
    seconds: 2,
    strike: rig => rig.controller.endSessions(),
  },
  {
    name: 'session expired, socket silent',
    seconds: 4,
    knobs: { socketAtSessionEnd: 'silent' },
    strike: rig => rig.controller.endSessions(),
  },
  {
    name: 'subscriptions dropped in silence',
    seconds: 5,
    strike: rig => {
      for (const id of rig.controller.subscriptionIds) rig.controller.expireSubscription(id)
    },
  },
  {
    name: 'socket forgotten (405)',
    seconds: 5,
    strike: rig => rig.controller.forgetSockets(),
  },
  {
    name: 'end of life, silent: refreshes unanswered',
    seconds: 6,
    knobs: { socketAtSessionEnd: 'silent' },
    approach: rig => {
      rig.controller.fail({ operation: 'refresh', failure: { kind: 'hang' } })
      return sessionAge(rig, 28_000)
    },
    comes: sessionEnd,
  },
  {
    name: 'controller dark, the next takes over',
    seconds: 8,
    controllers: 2,
    approach: answeredPing,
    strike: rig => rig.controller.goDark(),
  },
  {
    name: 'controller killed, the next takes over',
    seconds: 4,
    controllers: 2,
    strike: rig => rig.controller.close(),
  },
  {
    name: 'controller dark for 5 s, alone',
    seconds: 8,
    approach: answeredPing,
    strike: rig => {
      const { controller } = rig
      controller.goDark()
      rig.later(5000, () => controller.comeBack())
    },
  },
  {
    name: 'controller killed, starts anew after 5 s, alone',
    seconds: 10,
    strike: async rig => {
      await rig.controller.close()
      rig.later(5000, () => rig.restartController())
    },
  },
  {
    name: 'daemon cut off, started again after 3 s',
    seconds: 6,
    strike: async rig => {
      await rig.cutDaemon()
      rig.later(3000, () => rig.startDaemon())
    },
  },
  {
    name: 'lifetime end, handed over',
    seconds: 4,
    seamless: true,
    controller: { maximumLifetimeSeconds: 20 },
    approach: rig => sessionAge(rig, 12_000),
    // A successor has logged in.
    comes: rig => until(() => rig.controller.record.sessions[1]?.startedAt, 'the successor'),
  },
  {
    name: 'lifetime end, silent, logins refused until after it',
    seconds: 6,
    controller: { maximumLifetimeSeconds: 20 },
    knobs: { socketAtSessionEnd: 'silent' },
    approach: rig => {
      const well = rig.controller.fail({ operation: 'login', failure: { kind: 'html' } })
      rig.later(21_000, well)
      return sessionAge(rig, 18_500)
    },
    comes: sessionEnd,
  },
]
